/** The other half of the floor: woken by a file event, it reads, claims, and commits a reply. */
import { utimesSync, watch } from 'node:fs';
import { join } from 'node:path';
import { openDatabase } from '../shared/base/sqlite/sqlite.js';
import { floorFiles } from './floor.js';

const [, , folder = ''] = process.argv;
const path = (name: string): string => join(folder, name);
const inbound = openDatabase(path(floorFiles.inbound), { mode: 'read', busyTimeoutMs: 1_000 });
const outbound = openDatabase(path(floorFiles.outbound), { mode: 'write', busyTimeoutMs: 1_000 });

const newest = inbound.prepare<[], { id: number; content: string }>(
  'SELECT id, content FROM messages_in ORDER BY id DESC LIMIT 1',
);
const claim = outbound.prepare(`INSERT OR IGNORE INTO processing_ack VALUES (?, 'processing')`);
const reply = outbound.prepare('INSERT INTO messages_out VALUES (?, ?)');
const complete = outbound.prepare(`UPDATE processing_ack SET status = 'completed' WHERE id = ?`);
const answer = outbound.transaction((id: number, content: string) => {
  reply.run(id, `echo: ${content}`);
  complete.run(id);
});

watch(path(floorFiles.inboundWake), () => {
  const message = newest.get();
  // A touch may make more than one event.
  if (message === undefined || claim.run(message.id).changes === 0) return;
  answer(message.id, message.content);
  const now = new Date();
  utimesSync(path(floorFiles.outboundWake), now, now);
});
console.log('ready');
