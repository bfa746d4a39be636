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
import { RecoverySetup } from '../../../test/fakes/recovery-setup.js';

describe('what lies beside a session file', () => {
  let setup: RecoverySetup;

  beforeEach(() => {
    setup = new RecoverySetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  /** A transaction in WAL mode, whose writer was killed before it came into the file. */
  function leaveLog(path: string, sql: string): void {
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
      db.pragma('journal_mode = WAL');
      db.pragma('wal_autocheckpoint = 0');
      db.exec(sql);
      for (const suffix of ['-wal', '-shm']) copyFileSync(path + suffix, `${path}.kept${suffix}`);
    });
    for (const suffix of ['-wal', '-shm']) renameSync(`${path}.kept${suffix}`, path + suffix);
  }

  it('is quarantined with inbound.db: a log of its own is not read into the fresh file', async () => {
    await setup.haveAConversation();
    leaveLog(
      setup.inboundPath,
      'CREATE TABLE strange (word TEXT); DELETE FROM messages_in; VACUUM',
    );
    rmSync(setup.inboundPath);
    await setup.take('after');
    await setup.delivery.loop.drain();
    expect(setup.repairNames()).toEqual(['inbound.db replaced']);
    expect(setup.messagesIn(setup.session.id).map(({ id }) => id)).toContain('after');
    setup.runner.claim('after');
    setup.runner.complete('after');
    await setup.end();
    expect(setup.store.sessions.find(setup.session.id)?.status).toBe('active');
    expect(setup.repairNames()).toEqual(['inbound.db replaced']);
    expect(existsSync(`${setup.inboundPath}-wal`)).toBe(false);
    const kept = readdirSync(setup.folders.damagedDir(setup.session.id));
    expect(kept.filter((name) => name.endsWith('.wal'))).toHaveLength(1);
  });

  it('is quarantined with outbound.db', async () => {
    await setup.haveAConversation();
    leaveLog(setup.outboundPath, 'DELETE FROM messages_out; DELETE FROM processing_ack; VACUUM');
    await setup.end();
    expect(setup.repairNames()).toEqual(['outbound.db replaced']);
    setup.clock.advance(1_000);
    const runner = setup.nextRunner();
    runner.claimTry(1, 'claimed', 'waiting');
    runner.say('late reply', { inReplyTo: 'claimed' });
    runner.complete('claimed', 'waiting');
    await setup.end();
    expect(setup.texts().at(-1)).toBe('late reply');
    expect(existsSync(`${setup.outboundPath}-wal`)).toBe(false);
  });

  it('may be a folder in the place of a log: then inbound.db is replaced', async () => {
    await setup.haveAConversation();
    mkdirSync(`${setup.inboundPath}-wal`);
    await setup.take('after');
    expect(setup.repairNames()).toEqual(['inbound.db replaced']);
    expect(setup.messagesIn(setup.session.id).map(({ id }) => id)).toContain('after');
  });

  it('may be a folder in the place of a log: then its runner has outbound.db replaced', async () => {
    await setup.haveAConversation();
    mkdirSync(`${setup.outboundPath}-wal`);
    expect(() => {
      setup.nextRunner();
    }).toThrow(/not an ordinary file/);
    writeFileSync(damageMarkPath(setup.folders.outDir(setup.session.id)), 'outbound.db\n');
    await setup.end();
    expect(setup.repairNames()).toEqual(['outbound.db replaced']);
    expect(setup.texts()).toEqual(['reply to sent', 'reply to unsent']);
    setup.nextRunner().complete('claimed', 'waiting');
  });
});
