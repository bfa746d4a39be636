-- What agents said to each other. id: the messages_in row in the session that it went to; message_out_id: the messages_out row
-- that said it. hops: through how many agents it has come since a person said something.
CREATE TABLE agent_messages (
  id              TEXT PRIMARY KEY,
  from_session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  to_session_id   TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  message_out_id  TEXT NOT NULL,
  hops            INTEGER NOT NULL,
  created_at      TEXT NOT NULL
);
CREATE INDEX idx_agent_messages_pair ON agent_messages (from_session_id, to_session_id, created_at);
CREATE INDEX idx_agent_messages_to ON agent_messages (to_session_id);
CREATE INDEX idx_agent_messages_age ON agent_messages (created_at);
