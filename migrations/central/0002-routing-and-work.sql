-- Which names an agent may send to. Copied into the inbound.db of each of its sessions.
CREATE TABLE agent_destinations (
  agent_group_id        TEXT NOT NULL REFERENCES agent_groups (id) ON DELETE CASCADE,
  name                  TEXT NOT NULL,
  display_name          TEXT,
  type                  TEXT NOT NULL CHECK (type IN ('channel', 'agent')),
  channel_type          TEXT,
  platform_id           TEXT,
  target_agent_group_id TEXT REFERENCES agent_groups (id) ON DELETE CASCADE,
  created_at            TEXT NOT NULL,
  PRIMARY KEY (agent_group_id, name)
);

-- Who may engage an agent where a wiring's response_scope is 'allowlisted' (besides the group's admin_user_id).
CREATE TABLE allowed_senders (
  messaging_group_id TEXT NOT NULL REFERENCES messaging_groups (id) ON DELETE CASCADE,
  sender_id          TEXT NOT NULL,
  created_at         TEXT NOT NULL,
  PRIMARY KEY (messaging_group_id, sender_id)
);

-- What became of each platform message: taken once, and why an agent did not answer.
-- verdicts: JSON list of {agentGroupId, verdict, reason?, sessionId?}.
CREATE TABLE received_messages (
  messaging_group_id  TEXT NOT NULL REFERENCES messaging_groups (id) ON DELETE CASCADE,
  platform_message_id TEXT NOT NULL,
  message_id          TEXT NOT NULL,
  verdicts            TEXT NOT NULL,
  received_at         TEXT NOT NULL,
  PRIMARY KEY (messaging_group_id, platform_message_id)
);

CREATE INDEX idx_received_messages_at ON received_messages (messaging_group_id, received_at);

-- Threads that a mention has opened, for trigger mode 'mention-sticky'. thread_id '' is the chat itself.
CREATE TABLE engaged_threads (
  messaging_group_id TEXT NOT NULL REFERENCES messaging_groups (id) ON DELETE CASCADE,
  agent_group_id     TEXT NOT NULL REFERENCES agent_groups (id) ON DELETE CASCADE,
  thread_id          TEXT NOT NULL,
  engaged_at         TEXT NOT NULL,
  PRIMARY KEY (messaging_group_id, agent_group_id, thread_id)
);

-- Which sessions need a look, and from when on. The only way in which the daemon finds work after a start.
-- kind 'wake': messages_in rows to be run. kind 'deliver': messages_out rows to be sent.
-- attempts: how often it has failed in a row.
CREATE TABLE due_items (
  session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  kind       TEXT NOT NULL,
  due_at     TEXT NOT NULL,
  attempts   INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (session_id, kind)
);

CREATE INDEX idx_due_items_due ON due_items (kind, due_at);

-- Why a session is not active any more, in plain words.
ALTER TABLE sessions ADD COLUMN status_reason TEXT;

-- Replies that wait until somebody listens on their chat.
CREATE TABLE awaited_listeners (
  session_id   TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  channel_type TEXT NOT NULL,
  platform_id  TEXT NOT NULL,
  PRIMARY KEY (channel_type, platform_id, session_id)
);

-- What was given up, in both directions: 'in' names a messages_in row, 'out' a messages_out row.
CREATE TABLE dead_letters (
  session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  direction  TEXT NOT NULL CHECK (direction IN ('in', 'out')),
  message_id TEXT NOT NULL,
  reason     TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (session_id, direction, message_id)
);

-- What the host itself has to say in a chat: a failure that a person waits on.
CREATE TABLE notices (
  id           TEXT PRIMARY KEY,
  channel_type TEXT NOT NULL,
  platform_id  TEXT NOT NULL,
  thread_id    TEXT,
  in_reply_to  TEXT,
  text         TEXT NOT NULL,
  status       TEXT NOT NULL DEFAULT 'pending',
  tries        INTEGER NOT NULL DEFAULT 0,
  due_at       TEXT NOT NULL,
  created_at   TEXT NOT NULL
);

CREATE INDEX idx_notices_due ON notices (due_at) WHERE status = 'pending';

-- What the daemon says about itself, for `berth status`. value: JSON.
CREATE TABLE daemon_state (
  key        TEXT PRIMARY KEY,
  value      TEXT NOT NULL,
  updated_at TEXT NOT NULL
);

-- Few sessions have a container: this keeps finding them from reading them all.
CREATE INDEX idx_sessions_container ON sessions (container_status) WHERE container_status <> 'stopped';

-- An agent reacts to a message by our id; the platform wants its own.
CREATE INDEX idx_received_messages_id ON received_messages (message_id);

-- Replies whose sending has failed and will be tried again.
CREATE TABLE delivery_retries (
  session_id     TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  message_out_id TEXT NOT NULL,
  attempts       INTEGER NOT NULL,
  due_at         TEXT NOT NULL,
  reason         TEXT NOT NULL,
  PRIMARY KEY (session_id, message_out_id)
);
