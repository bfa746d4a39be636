-- What happened to sessions and messages, in order. A seq never comes twice, so that a reader can go on behind the last one
-- that it knows. No foreign keys: that a session was removed has happened, too. detail: JSON, or null where there is nothing to
-- add to the name.
CREATE TABLE session_events (
  seq                INTEGER PRIMARY KEY AUTOINCREMENT,
  session_id         TEXT,
  messaging_group_id TEXT,
  message_id         TEXT,
  name               TEXT NOT NULL,
  detail             TEXT,
  at                 TEXT NOT NULL
);

CREATE INDEX idx_session_events_session ON session_events (session_id, seq) WHERE session_id IS NOT NULL;
-- Of chats: what belongs to no session.
CREATE INDEX idx_session_events_chat ON session_events (messaging_group_id, seq) WHERE session_id IS NULL;
CREATE INDEX idx_session_events_message ON session_events (message_id, seq) WHERE message_id IS NOT NULL;
CREATE INDEX idx_session_events_age ON session_events (at);
