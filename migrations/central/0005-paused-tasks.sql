-- A paused task keeps its plan, and no run of it stands in a session's file until it is resumed.
ALTER TABLE tasks ADD COLUMN paused_at TEXT;
