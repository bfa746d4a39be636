/**
 * States what inbound.db must be made of. A person with `sqlite3` can change that in a moment: a trigger or a unique
 * index may keep messages out, and a file in WAL mode cannot be read across a mount. Such a change is noticed when the
 * file is opened.
 */
import { BerthError } from '../../base/errors.js';
import type { Db } from '../../base/sqlite/sqlite.js';

/** An object of the schema, as sqlite_schema has it. Source: sqlite.org/schematab.html. */
interface SchemaObject {
  readonly type: string;
  readonly name: string;
  readonly sql: string | null;
}

/** The migration that makes it: a file of another version is left to that one's program. */
const knownVersion = 1;

const openIndex = {
  type: 'index',
  name: 'idx_messages_in_open',
  sql: `CREATE INDEX idx_messages_in_open ON messages_in (seq) WHERE status IN ('pending', 'context')`,
} as const;

/** As migrations/inbound make them; their texts are compared with those by a test. */
const tables = [
  {
    name: 'delivered',
    sql: `CREATE TABLE delivered (
  message_out_id      TEXT PRIMARY KEY,
  platform_message_id TEXT,
  status              TEXT NOT NULL DEFAULT 'delivered',
  delivered_at        TEXT NOT NULL
)`,
  },
  {
    name: 'destinations',
    sql: `CREATE TABLE destinations (
  name           TEXT PRIMARY KEY,
  display_name   TEXT,
  type           TEXT NOT NULL CHECK (type IN ('channel', 'agent')),
  channel_type   TEXT,
  platform_id    TEXT,
  agent_group_id TEXT
)`,
  },
  {
    name: 'messages_in',
    sql: `CREATE TABLE messages_in (
  id            TEXT PRIMARY KEY,
  seq           INTEGER NOT NULL UNIQUE,
  kind          TEXT NOT NULL,
  timestamp     TEXT NOT NULL,
  status        TEXT NOT NULL DEFAULT 'pending',
  process_after TEXT,
  recurrence    TEXT,
  tries         INTEGER NOT NULL DEFAULT 0,
  platform_id   TEXT,
  channel_type  TEXT,
  thread_id     TEXT,
  content       TEXT NOT NULL
)`,
  },
  {
    name: 'session_routing',
    sql: `CREATE TABLE session_routing (
  id           INTEGER PRIMARY KEY CHECK (id = 1),
  channel_type TEXT,
  platform_id  TEXT,
  thread_id    TEXT
)`,
  },
] as const;

/** Texts of all that SQLite does not make by itself, by name: one string, so that a sound file costs one comparison. */
const knownText = [...tables, openIndex]
  .map(({ sql }) => sql)
  .sort()
  .join('\n');

const textSql = `SELECT group_concat(sql, char(10)) FROM
  (SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY sql COLLATE BINARY)`;

/**
 * Call it after the file was brought up to date, outside of a transaction. Puts right what loses nothing: WAL mode, a missing
 * index, foreign indexes and triggers; returns what that was, in words for a log. Throws database_corrupt with `facts.path`
 * where a table is missing, changed or foreign: the file is rebuilt then. Throws what SQLite throws; its busy code where
 * somebody else has the file open.
 *
 * A holder of a handle that stays open notices a later change by another `PRAGMA schema_version`.
 */
export function assertInboundSchema(db: Db): readonly string[] {
  const changes = leaveWal(db);
  if (db.prepare(textSql).pluck().get() === knownText) return changes;
  if (db.pragma('user_version', { simple: true }) !== knownVersion) return changes;
  const objects = db
    .prepare<[], SchemaObject>(`SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL`)
    .all();
  assertTables(db.name, objects);
  const repairs = planRepairs(objects);
  db.transaction(() => {
    for (const { sql } of repairs) db.exec(sql);
  }).immediate();
  return [...changes, ...repairs.map(({ what }) => what)];
}

/** SQLite deletes -wal and -shm with it, once everything is in the file. Source: sqlite.org/pragma.html#pragma_journal_mode. */
function leaveWal(db: Db): readonly string[] {
  if (db.pragma('journal_mode', { simple: true }) !== 'wal') return [];
  if (db.pragma('journal_mode = DELETE', { simple: true }) !== 'delete') {
    throw new BerthError('database_busy', `The database ${db.name} is locked.`, {
      facts: { path: db.name },
    });
  }
  return ['journal mode WAL set back to DELETE'];
}

function assertTables(path: string, objects: readonly SchemaObject[]): void {
  const found = objects.filter(({ type }) => type === 'table');
  const foreign = found.find(({ name }) => !isKnownTable(name));
  if (foreign !== undefined) throw corrupt(path, `has a table ${quote(foreign.name)} of others`);
  for (const { name, sql } of tables) {
    const table = found.find((one) => one.name === name);
    if (table === undefined) throw corrupt(path, `has no table ${name}`);
    if (table.sql !== sql) throw corrupt(path, `has another table ${name} than the protocol`);
  }
}

/** `ANALYZE` makes sqlite_stat1 and its like; they change nothing that is written or read. */
function isKnownTable(name: string): boolean {
  return name.startsWith('sqlite_stat') || tables.some((table) => table.name === name);
}

interface SchemaRepair {
  readonly what: string;
  readonly sql: string;
}

/** A view does nothing until it is asked: it may stay. */
function planRepairs(objects: readonly SchemaObject[]): readonly SchemaRepair[] {
  const repairs: SchemaRepair[] = [];
  for (const { type, name, sql } of objects) {
    if (type !== 'index' && type !== 'trigger') continue;
    if (sql === openIndex.sql) continue;
    const drop = `DROP ${type.toUpperCase()} ${quote(name)}`;
    repairs.push({ what: `foreign ${type} ${quote(name)} dropped`, sql: drop });
  }
  if (!objects.some(({ sql }) => sql === openIndex.sql)) {
    repairs.push({ what: `index ${openIndex.name} made again`, sql: openIndex.sql });
  }
  return repairs;
}

function corrupt(path: string, how: string): BerthError {
  return new BerthError('database_corrupt', `${path} ${how}.`, { facts: { path } });
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
