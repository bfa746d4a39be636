-- What a command asks of the daemon, because only the daemon may write a session's files.
-- payload and outcome: JSON. status: 'pending', 'done' or 'failed' (outcome says why).
CREATE TABLE requests (
  id         TEXT PRIMARY KEY,
  kind       TEXT NOT NULL,
  payload    TEXT NOT NULL,
  status     TEXT NOT NULL DEFAULT 'pending',
  outcome    TEXT,
  created_at TEXT NOT NULL
);

CREATE INDEX idx_requests_pending ON requests (created_at) WHERE status = 'pending';

-- Due work of every kind is found in one walk along this index.
-- Further kinds: 'idle' and 'stuck', when a session's container is to be looked at; 'prune', when its old files are.
-- Pruning has its own: however much of it is due, it must not hide a message that waits.
DROP INDEX idx_due_items_due;
CREATE INDEX idx_due_items_due ON due_items (due_at, session_id, kind) WHERE kind <> 'prune';
CREATE INDEX idx_due_items_prune ON due_items (due_at) WHERE kind = 'prune';

-- Blank sessions wait for their conversation with status 'warm'. made_for: the settings of the agent group that they were
-- made with; null as soon as one is used.
ALTER TABLE sessions ADD COLUMN made_for TEXT;
CREATE INDEX idx_sessions_blank ON sessions (agent_group_id) WHERE made_for IS NOT NULL;

-- IANA name of the time zone that a chat's schedules are told in; null: the install's.
ALTER TABLE messaging_groups ADD COLUMN time_zone TEXT;

-- What is planned in which session: found here without reading the sessions' files, where it stands in messages_in.
-- message_id: the row that is next. messaging_group_id: the chat that hears of it.
-- recurrence and time_zone: null where it runs once, or where no zone was named.
CREATE TABLE tasks (
  id                 TEXT PRIMARY KEY,
  session_id         TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  messaging_group_id TEXT REFERENCES messaging_groups (id) ON DELETE SET NULL,
  message_id         TEXT NOT NULL,
  due_at             TEXT NOT NULL,
  recurrence         TEXT,
  time_zone          TEXT,
  text               TEXT NOT NULL,
  created_at         TEXT NOT NULL
);

CREATE INDEX idx_tasks_session ON tasks (session_id);

-- Every session is gone through for what is too old: a day after it was made, and from then on again and again.
-- A trigger, so that no way of making a session can forget it.
CREATE TRIGGER sessions_plan_prune AFTER INSERT ON sessions BEGIN
  INSERT INTO due_items (session_id, kind, due_at)
  VALUES (NEW.id, 'prune', coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', NEW.created_at, '+1 day'), NEW.created_at));
END;

-- Sessions that are there already: spread over a day.
INSERT INTO due_items (session_id, kind, due_at)
  SELECT id, 'prune', strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+' || (abs(random()) % 86400) || ' seconds') FROM sessions;

-- Since when a session is known to be closed or set aside; null while it is in use.
ALTER TABLE sessions ADD COLUMN ended_at TEXT;

-- What is too old is found without reading what is not.
CREATE INDEX idx_received_messages_age ON received_messages (received_at);
CREATE INDEX idx_notices_age ON notices (created_at);
CREATE INDEX idx_engaged_threads_age ON engaged_threads (engaged_at);
CREATE INDEX idx_requests_age ON requests (created_at) WHERE status <> 'pending';

-- A send whose outcome is not known: it may have arrived, and where it is sent again, it says so.
ALTER TABLE delivery_retries ADD COLUMN maybe_sent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dead_letters ADD COLUMN maybe_sent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notices ADD COLUMN maybe_sent INTEGER NOT NULL DEFAULT 0;

-- Notices have the status 'sending' while they are being said, and after a crash in the middle of it.
DROP INDEX idx_notices_due;
CREATE INDEX idx_notices_due ON notices (due_at) WHERE status IN ('pending', 'sending');

-- What was done to the files of a session, or is still to be done: action 'wanted' or 'rollback-wanted' until then.
-- file: 'inbound.db' or 'outbound.db'. tries: how often it was begun and failed.
CREATE TABLE repairs (
  id         INTEGER PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  file       TEXT NOT NULL,
  action     TEXT NOT NULL,
  detail     TEXT NOT NULL,
  tries      INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL
);

CREATE INDEX idx_repairs_session ON repairs (session_id);
CREATE UNIQUE INDEX idx_repairs_wanted ON repairs (session_id, file) WHERE action IN ('wanted', 'rollback-wanted');

CREATE INDEX idx_repairs_age ON repairs (created_at);
