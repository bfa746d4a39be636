-- Nothing changes in these tables. From now on runners bring outbound.db to version 2 (outbound/0002-state-has-a-value.sql),
-- which runners of before cannot use: by the ledger a daemon of before knows that this home is not for it, and refuses to
-- start, before any session fails.
SELECT 1;
