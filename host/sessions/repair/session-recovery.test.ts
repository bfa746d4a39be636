import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BerthError } from '../../../shared/base/errors.js';
import { withDatabase } from '../../../shared/base/sqlite/sqlite.js';
import { damageMarkPath } from '../../../shared/protocol/workspace.js';
import { damages, RecoverySetup } from '../../../test/fakes/recovery-setup.js';

describe('the files of a session', () => {
  let setup: RecoverySetup;

  beforeEach(() => {
    setup = new RecoverySetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  function keptFiles(): readonly string[] {
    const dir = setup.folders.damagedDir(setup.session.id);
    return existsSync(dir) ? readdirSync(dir) : [];
  }

  describe.each(Object.entries(damages))('an outbound.db that was %s', (_, damage) => {
    it('is replaced: its session goes on, nothing is lost, nothing is sent twice, and it is told', async () => {
      await setup.haveAConversation();
      const other = setup.addSession();
      damage(setup.outboundPath);
      setup.runnerOf(other.id).say('of another session');
      await setup.deliver(other);
      expect(setup.texts()).toContain('of another session');
      await setup.deliver();
      await setup.delivery.loop.drain();

      expect(setup.store.sessions.find(setup.session.id)?.status).toBe('active');
      expect(setup.repairNames()).toEqual(['outbound.db replaced']);
      expect(setup.hasToldOfRepair()).toBe(true);
      expect(setup.texts().filter((text) => text === 'reply to sent')).toHaveLength(1);
      // A message of which nothing could be read is tried again, and its try counts.
      expect(setup.describe()).toEqual({
        sent: 'completed 0',
        unsent: 'pending 1 +1000',
        claimed: 'pending 1 +1000',
        waiting: 'pending 1 +1000',
      });
      expect(setup.store.dueItems.find(setup.session.id, 'wake')).toBeDefined();

      setup.clock.advance(1_000);
      const runner = setup.nextRunner();
      runner.claimTry(1, 'unsent', 'claimed', 'waiting');
      runner.say('late reply', { inReplyTo: 'unsent' });
      runner.complete('unsent', 'claimed', 'waiting');
      await setup.end();
      expect(setup.texts().at(-1)).toBe('late reply');
      expect(Object.values(setup.describe()).every((it) => it.startsWith('completed'))).toBe(true);
      expect(setup.repairNames()).toEqual(['outbound.db replaced']);
    });
  });

  describe.each(Object.entries(damages))('an inbound.db that was %s', (_, damage) => {
    it('is replaced: what is lost is told, and what was sent is not sent again', async () => {
      await setup.haveAConversation();
      damage(setup.inboundPath);
      await setup.take('after');
      await setup.delivery.loop.drain();

      expect(setup.store.sessions.find(setup.session.id)?.status).toBe('active');
      expect(setup.repairNames()).toEqual(['inbound.db replaced']);
      expect(setup.hasToldOfRepair()).toBe(true);
      const open = setup.messagesIn(setup.session.id).filter(({ status }) => status === 'pending');
      expect(open.map(({ id }) => id)).toEqual(['after']);
      expect(setup.toldAbout()).toEqual(['claimed', 'waiting']);
      const given = setup.store.deadLetters.listForSession(setup.session.id);
      expect(given.filter(({ direction }) => direction === 'in').map((it) => it.messageId)).toEqual(
        ['claimed', 'waiting'],
      );
      // Nobody can tell whether the last replies were sent: they are held, and said to be.
      expect(setup.texts()).toEqual(['reply to sent']);
      expect(Object.keys(setup.outDeadLetters())).toEqual(['reply to sent', 'reply to unsent']);

      const seqs = setup.messagesIn(setup.session.id).map(({ seq }) => seq);
      expect(Math.max(...seqs)).toBe(seqs.at(-1));
      setup.runner.claim('after');
      setup.runner.say('reply to after', { inReplyTo: 'after' });
      setup.runner.complete('after');
      await setup.end();
      expect(setup.texts()).toEqual(['reply to sent', 'reply to after']);
      expect(setup.repairNames()).toEqual(['inbound.db replaced']);
    });
  });

  describe('what can still be read of a damaged file', () => {
    /** Takes away what stands in the middle of the file, page by page. */
    function damagePages(path: string, pages: readonly number[]): void {
      const bytes = readFileSync(path);
      for (const page of pages) bytes.fill(0xff, (page - 1) * 4_096, page * 4_096);
      writeFileSync(path, bytes);
    }

    it('of outbound.db is sent, once each, and acks count', async () => {
      const ids = Array.from({ length: 60 }, (_, index) => `m-${index}`);
      await setup.take(...ids, 'open');
      setup.runner.claim(...ids);
      for (const id of ids) {
        const content = JSON.stringify({ text: `reply to ${id} ${'.'.repeat(400)}` });
        setup.runner.say(`o-${id}`, { inReplyTo: id, content });
      }
      setup.runner.complete(...ids);
      const count = readFileSync(setup.outboundPath).length / 4_096;
      expect(count).toBeGreaterThan(10);
      damagePages(setup.outboundPath, [count - 1]);
      await setup.deliver();
      await setup.delivery.loop.drain();
      const sent = setup.channel.sent.map(({ messageId }) => messageId);
      expect(sent.length).toBeGreaterThan(30);
      expect(new Set(sent).size).toBe(sent.length);
      expect(setup.repairs()[0]?.detail).toMatch(/replies saved, not all of it\. Kept as /);
      expect(setup.describe()['open']).toMatch(/^pending/);
      const first = keptFiles()[0] ?? '';
      expect(first).toMatch(/^outbound\.db-2/);
    });

    it('of inbound.db goes on as it was, with its tries and its times', async () => {
      const ids = Array.from({ length: 80 }, (_, index) => `m-${index}`);
      for (const id of ids) await setup.take(id);
      setup.inbound(setup.session.id, (db) => {
        db.exec(
          `UPDATE messages_in SET tries = 2, process_after = '${setup.clock.iso(1_500)}' WHERE id = 'm-1'`,
        );
        db.exec(
          `UPDATE messages_in SET content = '{"text":"' || printf('%.400c', 'x') || '","sender":{"id":"u"}}'`,
        );
      });
      const count = readFileSync(setup.inboundPath).length / 4_096;
      damagePages(setup.inboundPath, [count - 2]);
      await setup.take('after');
      await setup.deliver();
      await setup.delivery.loop.drain();
      const rows = setup.messagesIn(setup.session.id);
      const open = rows.filter(({ status }) => status === 'pending').map(({ id }) => id);
      const lost = setup.toldAbout();
      expect(lost.length).toBeGreaterThan(0);
      expect(lost.length).toBeLessThan(40);
      expect([...open, ...lost].sort()).toEqual([...ids, 'after'].sort());
      expect(setup.describe()['m-1']).toBe('pending 2 +1500');
    });

    it('is found anew in the central database where it is a task', async () => {
      await setup.take('m-1');
      const dueAt = setup.clock.iso(60_000);
      setup.store.tasks.set({
        id: 't-1',
        sessionId: setup.session.id,
        messagingGroupId: setup.chat.id,
        messageId: 't-1-run',
        dueAt,
        recurrence: '0 9 * * *',
        timeZone: 'Europe/Berlin',
        text: 'say good morning',
        createdAt: setup.clock.iso(),
      });
      rmSync(setup.inboundPath);
      await setup.take('after');
      const run = setup.inbound(setup.session.id, (db) =>
        db
          .prepare(
            `SELECT kind, recurrence, process_after, content FROM messages_in WHERE id = 't-1-run'`,
          )
          .get(),
      );
      expect(run).toMatchObject({ kind: 'task', recurrence: '0 9 * * *', process_after: dueAt });

      setup.store.tasks.setPaused('t-1', setup.clock.iso());
      rmSync(setup.inboundPath);
      await setup.take('later');
      expect(setup.messagesIn(setup.session.id).map(({ id }) => id)).not.toContain('t-1-run');
    });
  });

  describe('a writer that was killed in the middle of a commit', () => {
    async function haveALongConversation(): Promise<void> {
      const ids = Array.from({ length: 30 }, (_, index) => `m-${index}`);
      await setup.take(...ids);
      setup.runner.claim(...ids);
      for (const id of ids) {
        const content = JSON.stringify({ text: `${id} ${'.'.repeat(2_000)}` });
        setup.runner.say(`reply to ${id}`, { content });
      }
      setup.runner.complete(...ids);
    }

    it('of outbound.db: what it had begun is taken back, once, when its container has ended', async () => {
      await haveALongConversation();
      await setup.tear(setup.outboundPath, 'messages_out');
      const torn = readFileSync(setup.outboundPath);
      const journal = `${setup.outboundPath}-journal`;
      setup.store.sessions.setContainerStatus(setup.session.id, 'running');
      await setup.deliver();
      expect(readFileSync(setup.outboundPath).equals(torn)).toBe(true);
      expect(existsSync(journal)).toBe(true);
      expect(setup.repairs()).toEqual([]);

      setup.store.sessions.setContainerStatus(setup.session.id, 'stopped');
      await setup.end();
      expect(existsSync(journal)).toBe(false);
      expect(setup.repairNames()).toEqual(['outbound.db rolled-back']);
      expect(setup.channel.sent).toHaveLength(30);
      expect(setup.texts().some((text) => text.includes('never committed'))).toBe(false);
      expect(setup.notices()).toEqual([]);
      expect(keptFiles()).toEqual([]);
      await setup.end();
      expect(setup.repairs()).toHaveLength(1);
    });

    it('of outbound.db in a session without a container is noticed by whoever reads it', async () => {
      await haveALongConversation();
      await setup.tear(setup.outboundPath, 'messages_out');
      await setup.deliver();
      await setup.delivery.loop.drain();
      expect(setup.repairNames()).toEqual(['outbound.db rolled-back']);
      expect(setup.channel.sent).toHaveLength(30);
    });

    it('of inbound.db: the next one who writes takes it back, and no message is changed', async () => {
      await haveALongConversation();
      const before = setup.messagesIn(setup.session.id);
      await setup.tear(setup.inboundPath, 'messages_in');
      await setup.take('after');
      const after = setup.messagesIn(setup.session.id);
      expect(after.slice(0, -1)).toEqual(before);
      expect(after.at(-1)?.id).toBe('after');
      expect(existsSync(`${setup.inboundPath}-journal`)).toBe(false);
      expect(setup.repairs()).toEqual([]);
    });

    it('is not believed where its journal names another file, which SQLite would delete', async () => {
      await haveALongConversation();
      await setup.tear(setup.outboundPath, 'messages_out');
      const victim = join(setup.root, 'precious');
      writeFileSync(victim, 'irreplaceable');
      const name = Buffer.from(victim);
      const record = Buffer.alloc(name.length + 20);
      record.writeUInt32BE(0x4000_0000 / 4_096 + 1, 0);
      name.copy(record, 4);
      record.writeUInt32BE(name.length, 4 + name.length);
      record.writeInt32BE(
        name.reduce((sum, byte) => sum + byte, 0),
        8 + name.length,
      );
      record.write('d9d505f920a163d7', 12 + name.length, 'hex');
      appendFileSync(`${setup.outboundPath}-journal`, record);
      await setup.end();
      expect(existsSync(victim)).toBe(true);
      expect(setup.repairNames()).toEqual(['outbound.db replaced']);
      expect(keptFiles().some((file) => file.endsWith('.journal'))).toBe(true);
    });

    it.each([
      ['a pipe', (path: string) => execFileSync('mkfifo', [path])],
      [
        'a folder',
        (path: string) => {
          mkdirSync(path);
        },
      ],
    ])('leaves no %s: one in the place of its journal holds up nobody', async (_, put) => {
      await haveALongConversation();
      put(`${setup.outboundPath}-journal`);
      await setup.deliver();
      await setup.delivery.loop.drain();
      expect(setup.repairNames()).toEqual(['outbound.db replaced']);
      expect(setup.channel.sent).toHaveLength(30);
    });
  });

  describe('the recovery of a session', () => {
    it('keeps the order of messages that come while it is under way, in the same session', async () => {
      await setup.take('before');
      writeFileSync(setup.inboundPath, 'no database');
      const ids = Array.from({ length: 20 }, (_, index) => `m-${index}`);
      await Promise.all(ids.map((id) => setup.take(id)));
      const rows = setup.messagesIn(setup.session.id).map(({ id }) => id);
      expect(rows.filter((id) => id.startsWith('m-'))).toEqual(ids);
    });

    it('holds no reply to what was settled before its inbound.db was deleted, and holds what came after', async () => {
      await setup.take('m-1');
      setup.runner.claim('m-1');
      setup.runner.say('o-1', { inReplyTo: 'm-1' });
      setup.runner.complete('m-1');
      await setup.deliver();
      rmSync(setup.inboundPath);
      setup.runner.say('o-2');
      await setup.take('after');
      await setup.delivery.loop.drain();
      expect(setup.repairs()[0]?.detail).toContain('none that waited was lost');
      expect(Object.keys(setup.outDeadLetters())).toEqual(['o-2']);
      expect(setup.texts()).toEqual(['o-1']);
    });

    it('waits for what the runner could not read, and has noted', async () => {
      await setup.take('m-1');
      setup.runner.claim('m-1');
      writeFileSync(damageMarkPath(setup.folders.outDir(setup.session.id)), 'inbound.db\n');
      await setup.end();
      expect(setup.repairNames()).toEqual(['inbound.db replaced']);
      expect(setup.toldAbout()).toEqual([]);
      expect(setup.describe()).toEqual({ 'm-1': 'pending 1 +1000' });
      expect(existsSync(damageMarkPath(setup.folders.outDir(setup.session.id)))).toBe(false);
    });

    it('goes on where a crash had cut it short, after a restart', async () => {
      await setup.haveAConversation();
      writeFileSync(setup.outboundPath, 'no database');
      setup.whenWanted = () => undefined;
      await setup.deliver();
      expect(setup.repairNames()).toEqual(['outbound.db wanted']);
      setup.rebuild();
      const wanted: string[] = [];
      setup.whenWanted = (id) => wanted.push(id);
      setup.recovery?.start();
      expect(wanted).toEqual([setup.session.id]);
      await setup.end();
      expect(setup.repairNames()).toEqual(['outbound.db replaced']);
    });

    it('finishes a replacement that was all but done', async () => {
      await setup.haveAConversation();
      setup.whenWanted = () => undefined;
      const ready = join(setup.folders.repairDir(setup.session.id), 'outbound-ready.db');
      setup.store.repairs.want(setup.session.id, {
        file: 'outbound.db',
        action: 'wanted',
        detail: 'test',
        createdAt: setup.clock.iso(),
      });
      mkdirSync(join(ready, '..'), { recursive: true });
      renameSync(setup.outboundPath, ready);
      await setup.end();
      expect(setup.texts()).toEqual(['reply to sent', 'reply to unsent']);
    });

    it('finishes a replacement of inbound.db likewise, before anything is read of it', async () => {
      await setup.haveAConversation();
      setup.whenWanted = () => undefined;
      const ready = join(setup.folders.repairDir(setup.session.id), 'inbound-ready.db');
      for (const file of ['inbound.db', 'outbound.db'] as const) {
        const wish = { file, action: 'wanted', detail: 'test' } as const;
        setup.store.repairs.want(setup.session.id, { ...wish, createdAt: setup.clock.iso() });
      }
      mkdirSync(join(ready, '..'), { recursive: true });
      renameSync(setup.inboundPath, ready);
      await setup.end();
      expect(setup.texts()).toEqual(['reply to sent', 'reply to unsent']);
      expect(setup.toldAbout()).toEqual([]);
      expect(Object.keys(setup.describe())).toEqual(['sent', 'unsent', 'claimed', 'waiting']);
      expect(existsSync(setup.folders.repairDir(setup.session.id))).toBe(false);
    });

    it('replaces both files where both are damaged, and tells what it cannot save', async () => {
      await setup.haveAConversation();
      for (const path of [setup.inboundPath, setup.outboundPath])
        writeFileSync(path, 'no database');
      await setup.take('after');
      await setup.delivery.loop.drain();
      await setup.end();
      expect([...setup.repairNames()].sort()).toEqual([
        'inbound.db replaced',
        'outbound.db replaced',
      ]);
      expect(setup.toldAbout()).toEqual(expect.arrayContaining(['claimed', 'unsent', 'waiting']));
      expect(setup.describe()['after']).toMatch(/^pending/);
      expect(setup.texts()).toEqual(['reply to sent']);
    });

    it('gives replies up, and says so, that were to be sent again and are gone', async () => {
      await setup.haveAConversation();
      const retry = {
        attempts: 1,
        dueAt: setup.clock.iso(9_000),
        reason: 'busy',
        maybeSent: false,
      };
      const messageOutId = 'reply to unsent';
      setup.store.deliveryRetries.set({ ...retry, sessionId: setup.session.id, messageOutId });
      rmSync(setup.outboundPath);
      await setup.deliver();
      await setup.delivery.loop.drain();
      expect(Object.keys(setup.outDeadLetters())).toEqual([messageOutId]);
      expect(setup.store.deliveryRetries.list(setup.session.id).size).toBe(0);
    });

    it('keeps the last three damaged files of a name', async () => {
      for (let round = 0; round < 5; round += 1) {
        await setup.take(`m-${round}`);
        writeFileSync(setup.outboundPath, `no database ${round}`);
        await setup.end();
        setup.clock.advance(1);
      }
      expect(setup.repairs()).toHaveLength(5);
      const dir = setup.folders.damagedDir(setup.session.id);
      const texts = keptFiles().map((file) => readFileSync(join(dir, file), 'utf8'));
      expect(texts).toEqual(['no database 2', 'no database 3', 'no database 4']);
    });

    it('ends a session whose files are damaged again and again', async () => {
      for (let round = 0; round < 12; round += 1) {
        writeFileSync(setup.outboundPath, 'no database');
        await setup.end();
      }
      expect(setup.store.sessions.find(setup.session.id)).toMatchObject({ status: 'set-aside' });
      expect(setup.repairs().length).toBeLessThanOrEqual(10);
    });

    it('leaves a session alone whose files are out of reach for a moment, and ends it where that lasts', async () => {
      await setup.haveAConversation();
      const { recovery } = setup;
      const facts = { path: setup.inboundPath, errno: 'EIO', mayPass: true };
      const error = new BerthError('database_unreadable', 'It cannot be reached.', { facts });
      const check = (afterMs: number): boolean | undefined => {
        setup.clock.advance(afterMs);
        return recovery?.report(setup.session.id, error);
      };
      const status = () => setup.store.sessions.find(setup.session.id)?.status;
      expect([0, 2_000, 2_000].map(check)).toEqual([false, false, false]);
      expect(recovery?.abandon(setup.session.id, error)).toBe(false);
      expect(status()).toBe('active');
      await setup.deliver();
      expect([2_000, 2_000, 2_000].map(check)).toEqual([false, false, false]);
      expect(status()).toBe('active');
      expect(check(2_000)).toBe(true);
      expect(status()).toBe('set-aside');
    });

    it('ends a session whose folder cannot be reached', async () => {
      await setup.haveAConversation();
      const folder = setup.folders.folderOf(setup.session.id);
      renameSync(folder, `${folder}.away`);
      writeFileSync(folder, '');
      await setup.deliver();
      expect(setup.store.sessions.find(setup.session.id)).toMatchObject({ status: 'set-aside' });
      expect(setup.notices().map(({ id }) => id)).toContain(`aside-${setup.session.id}`);
    });

    it('ends a session whose agent has used up its numbers: nothing it says could be recorded', async () => {
      await setup.haveAConversation();
      withDatabase(setup.outboundPath, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
        db.exec(`INSERT INTO messages_out (id, seq, timestamp, kind, content)
                 VALUES ('last', 1125899906842623, '', 'chat', '{"text":"x"}')`);
      });
      await setup.deliver();
      await setup.take('m-next');
      const seqs = withDatabase(setup.inboundPath, { mode: 'write', busyTimeoutMs: 0 }, (db) =>
        db.prepare('SELECT max(seq) FROM messages_in').pluck().get(),
      );
      expect(Number(seqs)).toBeLessThan(2 ** 26);
      setup.runner.say('o-next');
      await setup.deliver();
      expect(setup.store.sessions.find(setup.session.id)).toMatchObject({
        status: 'set-aside',
        statusReason: expect.stringContaining('number is too high') as string,
      });
      expect(setup.notices().map(({ id }) => id)).toContain(`aside-${setup.session.id}`);
    });

    it('says nothing of a session that nobody has written to', async () => {
      const empty = setup.addSession();
      await setup.end(empty);
      await setup.deliver(empty);
      expect(setup.store.repairs.listForSession(empty.id, 10)).toEqual([]);
      expect(setup.notices()).toEqual([]);
    });

    it('makes files that everybody may read who has to', async () => {
      await setup.haveAConversation();
      chmodSync(setup.outboundPath, 0o644);
      for (const path of [setup.outboundPath, setup.inboundPath]) {
        writeFileSync(path, 'no database');
        await setup.deliver();
        await setup.delivery.loop.drain();
        const mode = execFileSync('stat', ['-c', '%a', path], { encoding: 'utf8' }).trim();
        expect(mode).toBe('644');
      }
      expect(setup.repairs()).toHaveLength(2);
    });
  });
});
