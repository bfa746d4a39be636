import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withDatabase } from '../../../shared/base/sqlite/sqlite.js';
import { damageMarkPath } from '../../../shared/protocol/workspace.js';
import { RecoveryRoom } from '../../../test/fakes/recovery-room.js';

describe('what lies beside a session file', () => {
  let room: RecoveryRoom;

  beforeEach(() => {
    room = new RecoveryRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  /** Somebody's transaction in WAL mode, who was killed before it came into the file. */
  function leaveLog(path: string, sql: string): void {
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
      db.pragma('journal_mode = WAL');
      db.pragma('wal_autocheckpoint = 0');
      db.exec(sql);
      for (const suffix of ['-wal', '-shm']) copyFileSync(path + suffix, `${path}.kept${suffix}`);
    });
    for (const suffix of ['-wal', '-shm']) renameSync(`${path}.kept${suffix}`, path + suffix);
  }

  it('goes aside with inbound.db: a log of its own is not read into the fresh file', async () => {
    await room.haveAConversation();
    leaveLog(room.inboundPath, 'CREATE TABLE strange (word TEXT); DELETE FROM messages_in; VACUUM');
    rmSync(room.inboundPath);
    await room.take('after');
    await room.delivery.loop.drain();
    expect(room.repairNames()).toEqual(['inbound.db replaced']);
    expect(room.messagesIn(room.session.id).map(({ id }) => id)).toContain('after');
    room.runner.claim('after');
    room.runner.complete('after');
    await room.end();
    expect(room.store.sessions.find(room.session.id)?.status).toBe('active');
    expect(room.repairNames()).toEqual(['inbound.db replaced']);
    expect(existsSync(`${room.inboundPath}-wal`)).toBe(false);
    const kept = readdirSync(room.folders.damagedDir(room.session.id));
    expect(kept.filter((name) => name.endsWith('.wal'))).toHaveLength(1);
  });

  it('goes aside with outbound.db', async () => {
    await room.haveAConversation();
    leaveLog(room.outboundPath, 'DELETE FROM messages_out; DELETE FROM processing_ack; VACUUM');
    await room.end();
    expect(room.repairNames()).toEqual(['outbound.db replaced']);
    room.clock.advance(1_000);
    const runner = room.nextRunner();
    runner.claimTry(1, 'claimed', 'waiting');
    runner.say('late reply', { inReplyTo: 'claimed' });
    runner.complete('claimed', 'waiting');
    await room.end();
    expect(room.texts().at(-1)).toBe('late reply');
    expect(existsSync(`${room.outboundPath}-wal`)).toBe(false);
  });

  it('may be a folder in the place of a log: then inbound.db is replaced', async () => {
    await room.haveAConversation();
    mkdirSync(`${room.inboundPath}-wal`);
    await room.take('after');
    expect(room.repairNames()).toEqual(['inbound.db replaced']);
    expect(room.messagesIn(room.session.id).map(({ id }) => id)).toContain('after');
  });

  it('may be a folder in the place of a log: then its runner has outbound.db replaced', async () => {
    await room.haveAConversation();
    mkdirSync(`${room.outboundPath}-wal`);
    expect(() => {
      room.nextRunner();
    }).toThrow(/not an ordinary file/);
    writeFileSync(damageMarkPath(room.folders.outDir(room.session.id)), 'outbound.db\n');
    await room.end();
    expect(room.repairNames()).toEqual(['outbound.db replaced']);
    expect(room.texts()).toEqual(['reply to sent', 'reply to unsent']);
    room.nextRunner().complete('claimed', 'waiting');
  });
});
