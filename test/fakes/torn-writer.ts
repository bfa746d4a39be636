/**
 * Writes to a mailbox file and is killed in the middle of a commit: pages have gone to the file, the journal is on disk.
 * Arguments: the file, its table. Says `torn` on standard output when it is time.
 */
import { writeSync } from 'node:fs';
import { openDatabase } from '../../shared/base/sqlite/sqlite.js';

const [, , path = '', table = ''] = process.argv;
const db = openDatabase(path, { mode: 'write', busyTimeoutMs: 1_000 });
// So few pages fit into memory that the others are written before the commit.
db.pragma('cache_size = 4');
db.exec('BEGIN IMMEDIATE');
db.exec(`UPDATE ${table} SET content = '{"text":"never committed"}' || printf('%.2000c', ' ')`);
writeSync(1, 'torn\n');
setInterval(() => undefined, 60_000);
