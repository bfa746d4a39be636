CREATE TABLE messages_in (
  id            TEXT PRIMARY KEY,
  seq           INTEGER NOT NULL UNIQUE,
  kind          TEXT NOT NULL,
  timestamp     TEXT NOT NULL,
  status        TEXT NOT NULL DEFAULT 'pending',
  process_after TEXT,
  recurrence    TEXT,
  tries         INTEGER NOT NULL DEFAULT 0,
  platform_id   TEXT,
  channel_type  TEXT,
  thread_id     TEXT,
  content       TEXT NOT NULL
);

-- Open rows only: a look costs the same in an old session as in a new one.
CREATE INDEX idx_messages_in_open ON messages_in (seq) WHERE status IN ('pending', 'context');

CREATE TABLE delivered (
  message_out_id      TEXT PRIMARY KEY,
  platform_message_id TEXT,
  status              TEXT NOT NULL DEFAULT 'delivered',
  delivered_at        TEXT NOT NULL
);

CREATE TABLE destinations (
  name           TEXT PRIMARY KEY,
  display_name   TEXT,
  type           TEXT NOT NULL CHECK (type IN ('channel', 'agent')),
  channel_type   TEXT,
  platform_id    TEXT,
  agent_group_id TEXT
);

CREATE TABLE session_routing (
  id           INTEGER PRIMARY KEY CHECK (id = 1),
  channel_type TEXT,
  platform_id  TEXT,
  thread_id    TEXT
);
