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

-- Questions that wait for a person. options: JSON list of labels. asked_user: who may answer; null: anybody in the chat.
-- said_at: when it was said in its chat; null: nobody can have read it yet, so that no message answers it.
-- claimed_by: the platform's id of the message that answers, or why the question ends: then nothing else answers it.
ALTER TABLE pending_questions ADD COLUMN question TEXT NOT NULL DEFAULT '';
ALTER TABLE pending_questions ADD COLUMN options TEXT NOT NULL DEFAULT '[]';
ALTER TABLE pending_questions ADD COLUMN free_text INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pending_questions ADD COLUMN asked_user TEXT;
ALTER TABLE pending_questions ADD COLUMN expires_at TEXT NOT NULL DEFAULT '';
ALTER TABLE pending_questions ADD COLUMN said_at TEXT;
ALTER TABLE pending_questions ADD COLUMN claimed_by TEXT;
CREATE INDEX idx_pending_questions_chat ON pending_questions (channel_type, platform_id);
CREATE INDEX idx_pending_questions_session ON pending_questions (session_id);
