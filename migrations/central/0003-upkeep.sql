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
DROP INDEX idx_due_items_due;
CREATE INDEX idx_due_items_due ON due_items (due_at);

-- Sessions that wait for their conversation: status 'warm'.
CREATE INDEX idx_sessions_warm ON sessions (agent_group_id) WHERE status = 'warm';

-- IANA name of the time zone that a chat's schedules are told in; null: the install's.
ALTER TABLE messaging_groups ADD COLUMN time_zone TEXT;
