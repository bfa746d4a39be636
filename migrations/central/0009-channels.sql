-- A channel is a row: `channel_type` in the other tables holds its id. The default instance of a type has the type's name for
-- an id, so that chats of before are chats of the terminal's row. `config` is JSON and holds no secrets.
CREATE TABLE channels (
  id         TEXT PRIMARY KEY,
  type       TEXT NOT NULL,
  config     TEXT NOT NULL DEFAULT '{}',
  enabled    INTEGER NOT NULL DEFAULT 1,
  created_at TEXT NOT NULL
);
INSERT INTO channels (id, type, created_at) VALUES ('terminal', 'terminal', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));
