/** States what outbound.db must be made of to be read: plain tables of stored columns, as a runner makes them. */
import { BerthError } from '../../base/errors.js';
import type { OpenedDatabase } from '../../base/sqlite/kept-database.js';
import type { Db } from '../../base/sqlite/sqlite.js';

/**
 * False while the runner has not made its tables yet. A view or a computed column could keep this thread busy for
 * ever, so anything but plain tables of stored columns is refused. Throws database_corrupt.
 */
export function hasOurTables({ db, statements }: OpenedDatabase): boolean {
  const entries = statements
    .prepare<[], { type: string; sql: string | null }>(
      `SELECT type, sql FROM sqlite_schema WHERE name COLLATE NOCASE IN ('messages_out', 'processing_ack', 'session_state')`,
    )
    .all();
  for (const { type, sql } of entries) {
    if (type !== 'table' || !isOurTable(sql)) throw notOurs(db);
  }
  if (entries.length === 3) return true;
  if (entries.length > 0 || db.pragma('user_version', { simple: true }) !== 0) throw notOurs(db);
  return false;
}

/** The keys come first in each: without them every read would go through the whole table. */
const ourBeginnings = [
  /^create table "?messages_out"? \(\s?id text primary key,\s?seq integer not null unique,/i,
  /^create table "?processing_ack"? \(\s?message_id text primary key,/i,
  /^create table "?session_state"? \(\s?key text primary key,/i,
];

function isOurTable(sql: string | null): boolean {
  const plain = sql?.replaceAll(/\s+/g, ' ') ?? '';
  const isComputed = /generated|\bas\s*\(|virtual/i.test(plain);
  return !isComputed && ourBeginnings.some((beginning) => beginning.test(plain));
}

export function notOurs(db: Db): BerthError {
  return new BerthError(
    'database_corrupt',
    'outbound.db does not hold the tables of the protocol.',
    { facts: { path: db.name } },
  );
}
