-- session_state.value is never null, as nothing else here that always exists. Where it was null it is empty now.
-- The table is made anew under its own name, not renamed: its text then stands in the file as it stands here.
CREATE TABLE session_state_1 (key TEXT, value TEXT NOT NULL, updated_at TEXT NOT NULL);
INSERT INTO session_state_1 SELECT key, coalesce(value, ''), updated_at FROM session_state ORDER BY rowid;
DROP TABLE session_state;

CREATE TABLE session_state (
  key        TEXT PRIMARY KEY,
  value      TEXT NOT NULL,
  updated_at TEXT NOT NULL
);

INSERT INTO session_state SELECT key, value, updated_at FROM session_state_1 ORDER BY rowid;
DROP TABLE session_state_1;
