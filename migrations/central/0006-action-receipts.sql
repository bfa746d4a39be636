-- What became of actions that agents asked for: asked again after a crash, the same answer is given and nothing is done twice.
CREATE TABLE action_receipts (
  session_id     TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  message_out_id TEXT NOT NULL,
  in_reply_to    TEXT,
  action         TEXT NOT NULL,
  outcome        TEXT NOT NULL,
  created_at     TEXT NOT NULL,
  PRIMARY KEY (session_id, message_out_id)
);
CREATE INDEX idx_action_receipts_turn ON action_receipts (session_id, in_reply_to);
CREATE INDEX idx_action_receipts_lately ON action_receipts (session_id, created_at);
CREATE INDEX idx_action_receipts_age ON action_receipts (created_at);
