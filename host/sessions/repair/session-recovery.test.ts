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
import { damages, RecoveryRoom } from '../../../test/fakes/recovery-room.js';

describe('the files of a session', () => {
  let room: RecoveryRoom;

  beforeEach(() => {
    room = new RecoveryRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  function keptFiles(): readonly string[] {
    const dir = room.folders.damagedDir(room.session.id);
    return existsSync(dir) ? readdirSync(dir) : [];
  }

  describe.each(Object.entries(damages))('an outbound.db that was %s', (_, damage) => {
    it('is replaced: its session goes on, nothing is lost, nothing is sent twice, and it is told', async () => {
      await room.haveAConversation();
      const other = room.addSession();
      damage(room.outboundPath);
      room.runnerOf(other.id).say('of another session');
      await room.deliver(other);
      expect(room.texts()).toContain('of another session');
      await room.deliver();
      await room.delivery.loop.drain();

      expect(room.store.sessions.find(room.session.id)?.status).toBe('active');
      expect(room.repairNames()).toEqual(['outbound.db replaced']);
      expect(room.hasToldOfRepair()).toBe(true);
      expect(room.texts().filter((text) => text === 'reply to sent')).toHaveLength(1);
      // What nothing could be read of is tried again, and its try counts.
      expect(room.describe()).toEqual({
        sent: 'completed 0',
        unsent: 'pending 1 +1000',
        claimed: 'pending 1 +1000',
        waiting: 'pending 1 +1000',
      });
      expect(room.store.dueItems.find(room.session.id, 'wake')).toBeDefined();

      room.clock.advance(1_000);
      const runner = room.nextRunner();
      runner.claimTry(1, 'unsent', 'claimed', 'waiting');
      runner.say('late reply', { inReplyTo: 'unsent' });
      runner.complete('unsent', 'claimed', 'waiting');
      await room.end();
      expect(room.texts().at(-1)).toBe('late reply');
      expect(Object.values(room.describe()).every((it) => it.startsWith('completed'))).toBe(true);
      expect(room.repairNames()).toEqual(['outbound.db replaced']);
    });
  });

  describe.each(Object.entries(damages))('an inbound.db that was %s', (_, damage) => {
    it('is replaced: what is lost is told, and what was sent is not sent again', async () => {
      await room.haveAConversation();
      damage(room.inboundPath);
      await room.take('after');
      await room.delivery.loop.drain();

      expect(room.store.sessions.find(room.session.id)?.status).toBe('active');
      expect(room.repairNames()).toEqual(['inbound.db replaced']);
      expect(room.hasToldOfRepair()).toBe(true);
      const open = room.messagesIn(room.session.id).filter(({ status }) => status === 'pending');
      expect(open.map(({ id }) => id)).toEqual(['after']);
      expect(room.toldAbout()).toEqual(['claimed', 'waiting']);
      const given = room.store.deadLetters.listForSession(room.session.id);
      expect(given.filter(({ direction }) => direction === 'in').map((it) => it.messageId)).toEqual(
        ['claimed', 'waiting'],
      );
      // Nobody can tell whether the last replies were sent: they are held, and said to be.
      expect(room.texts()).toEqual(['reply to sent']);
      expect(Object.keys(room.outDeadLetters())).toEqual(['reply to sent', 'reply to unsent']);

      const seqs = room.messagesIn(room.session.id).map(({ seq }) => seq);
      expect(Math.max(...seqs)).toBe(seqs.at(-1));
      room.runner.claim('after');
      room.runner.say('reply to after', { inReplyTo: 'after' });
      room.runner.complete('after');
      await room.end();
      expect(room.texts()).toEqual(['reply to sent', 'reply to after']);
      expect(room.repairNames()).toEqual(['inbound.db replaced']);
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
      await room.take(...ids, 'open');
      room.runner.claim(...ids);
      for (const id of ids) {
        const content = JSON.stringify({ text: `reply to ${id} ${'.'.repeat(400)}` });
        room.runner.say(`o-${id}`, { inReplyTo: id, content });
      }
      room.runner.complete(...ids);
      const count = readFileSync(room.outboundPath).length / 4_096;
      expect(count).toBeGreaterThan(10);
      damagePages(room.outboundPath, [count - 1]);
      await room.deliver();
      await room.delivery.loop.drain();
      const sent = room.channel.sent.map(({ messageId }) => messageId);
      expect(sent.length).toBeGreaterThan(30);
      expect(new Set(sent).size).toBe(sent.length);
      expect(room.repairs()[0]?.detail).toMatch(/replies saved, not all of it\. Kept as /);
      expect(room.describe()['open']).toMatch(/^pending/);
      const first = keptFiles()[0] ?? '';
      expect(first).toMatch(/^outbound\.db-2/);
    });

    it('of inbound.db goes on as it was, with its tries and its times', async () => {
      const ids = Array.from({ length: 80 }, (_, index) => `m-${index}`);
      for (const id of ids) await room.take(id);
      room.inbound(room.session.id, (db) => {
        db.exec(
          `UPDATE messages_in SET tries = 2, process_after = '${room.clock.iso(1_500)}' WHERE id = 'm-1'`,
        );
        db.exec(
          `UPDATE messages_in SET content = '{"text":"' || printf('%.400c', 'x') || '","sender":{"id":"u"}}'`,
        );
      });
      const count = readFileSync(room.inboundPath).length / 4_096;
      damagePages(room.inboundPath, [count - 2]);
      await room.take('after');
      await room.deliver();
      await room.delivery.loop.drain();
      const rows = room.messagesIn(room.session.id);
      const open = rows.filter(({ status }) => status === 'pending').map(({ id }) => id);
      const lost = room.toldAbout();
      expect(lost.length).toBeGreaterThan(0);
      expect(lost.length).toBeLessThan(40);
      expect([...open, ...lost].sort()).toEqual([...ids, 'after'].sort());
      expect(room.describe()['m-1']).toBe('pending 2 +1500');
    });

    it('is found anew in the central database where it is a task', async () => {
      await room.take('m-1');
      const dueAt = room.clock.iso(60_000);
      room.store.tasks.set({
        id: 't-1',
        sessionId: room.session.id,
        messagingGroupId: room.chat.id,
        messageId: 't-1-run',
        dueAt,
        recurrence: '0 9 * * *',
        timeZone: 'Europe/Berlin',
        text: 'say good morning',
        createdAt: room.clock.iso(),
      });
      rmSync(room.inboundPath);
      await room.take('after');
      const run = room.inbound(room.session.id, (db) =>
        db
          .prepare(
            `SELECT kind, recurrence, process_after, content FROM messages_in WHERE id = 't-1-run'`,
          )
          .get(),
      );
      expect(run).toMatchObject({ kind: 'task', recurrence: '0 9 * * *', process_after: dueAt });

      room.store.tasks.setPaused('t-1', room.clock.iso());
      rmSync(room.inboundPath);
      await room.take('later');
      expect(room.messagesIn(room.session.id).map(({ id }) => id)).not.toContain('t-1-run');
    });
  });

  describe('a writer that was killed in the middle of a commit', () => {
    async function haveALongConversation(): Promise<void> {
      const ids = Array.from({ length: 30 }, (_, index) => `m-${index}`);
      await room.take(...ids);
      room.runner.claim(...ids);
      for (const id of ids) {
        const content = JSON.stringify({ text: `${id} ${'.'.repeat(2_000)}` });
        room.runner.say(`reply to ${id}`, { content });
      }
      room.runner.complete(...ids);
    }

    it('of outbound.db: what it had begun is taken back, once, when its container has ended', async () => {
      await haveALongConversation();
      await room.tear(room.outboundPath, 'messages_out');
      const torn = readFileSync(room.outboundPath);
      const journal = `${room.outboundPath}-journal`;
      room.store.sessions.setContainerStatus(room.session.id, 'running');
      await room.deliver();
      expect(readFileSync(room.outboundPath).equals(torn)).toBe(true);
      expect(existsSync(journal)).toBe(true);
      expect(room.repairs()).toEqual([]);

      room.store.sessions.setContainerStatus(room.session.id, 'stopped');
      await room.end();
      expect(existsSync(journal)).toBe(false);
      expect(room.repairNames()).toEqual(['outbound.db rolled-back']);
      expect(room.channel.sent).toHaveLength(30);
      expect(room.texts().some((text) => text.includes('never committed'))).toBe(false);
      expect(room.notices()).toEqual([]);
      expect(keptFiles()).toEqual([]);
      await room.end();
      expect(room.repairs()).toHaveLength(1);
    });

    it('of outbound.db in a session without a container is noticed by whoever looks', async () => {
      await haveALongConversation();
      await room.tear(room.outboundPath, 'messages_out');
      await room.deliver();
      await room.delivery.loop.drain();
      expect(room.repairNames()).toEqual(['outbound.db rolled-back']);
      expect(room.channel.sent).toHaveLength(30);
    });

    it('of inbound.db: the next one who writes takes it back, and no message is changed', async () => {
      await haveALongConversation();
      const before = room.messagesIn(room.session.id);
      await room.tear(room.inboundPath, 'messages_in');
      await room.take('after');
      const after = room.messagesIn(room.session.id);
      expect(after.slice(0, -1)).toEqual(before);
      expect(after.at(-1)?.id).toBe('after');
      expect(existsSync(`${room.inboundPath}-journal`)).toBe(false);
      expect(room.repairs()).toEqual([]);
    });

    it('is not believed where its journal names another file, which SQLite would delete', async () => {
      await haveALongConversation();
      await room.tear(room.outboundPath, 'messages_out');
      const victim = join(room.root, 'precious');
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
      appendFileSync(`${room.outboundPath}-journal`, record);
      await room.end();
      expect(existsSync(victim)).toBe(true);
      expect(room.repairNames()).toEqual(['outbound.db replaced']);
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
      put(`${room.outboundPath}-journal`);
      await room.deliver();
      await room.delivery.loop.drain();
      expect(room.repairNames()).toEqual(['outbound.db replaced']);
      expect(room.channel.sent).toHaveLength(30);
    });
  });

  describe('the recovery of a session', () => {
    it('keeps the order of messages that come while it is under way, in the same session', async () => {
      await room.take('before');
      writeFileSync(room.inboundPath, 'no database');
      const ids = Array.from({ length: 20 }, (_, index) => `m-${index}`);
      await Promise.all(ids.map((id) => room.take(id)));
      const rows = room.messagesIn(room.session.id).map(({ id }) => id);
      expect(rows.filter((id) => id.startsWith('m-'))).toEqual(ids);
    });

    it('holds no reply to what was settled before its inbound.db was deleted, and holds what came after', async () => {
      await room.take('m-1');
      room.runner.claim('m-1');
      room.runner.say('o-1', { inReplyTo: 'm-1' });
      room.runner.complete('m-1');
      await room.deliver();
      rmSync(room.inboundPath);
      room.runner.say('o-2');
      await room.take('after');
      await room.delivery.loop.drain();
      expect(room.repairs()[0]?.detail).toContain('none that waited was lost');
      expect(Object.keys(room.outDeadLetters())).toEqual(['o-2']);
      expect(room.texts()).toEqual(['o-1']);
    });

    it('waits for what the runner could not read, and has noted', async () => {
      await room.take('m-1');
      room.runner.claim('m-1');
      writeFileSync(damageMarkPath(room.folders.outDir(room.session.id)), 'inbound.db\n');
      await room.end();
      expect(room.repairNames()).toEqual(['inbound.db replaced']);
      expect(room.toldAbout()).toEqual([]);
      expect(room.describe()).toEqual({ 'm-1': 'pending 1 +1000' });
      expect(existsSync(damageMarkPath(room.folders.outDir(room.session.id)))).toBe(false);
    });

    it('goes on where a crash had cut it short, after a restart', async () => {
      await room.haveAConversation();
      writeFileSync(room.outboundPath, 'no database');
      room.whenWanted = () => undefined;
      await room.deliver();
      expect(room.repairNames()).toEqual(['outbound.db wanted']);
      room.rebuild();
      const wanted: string[] = [];
      room.whenWanted = (id) => wanted.push(id);
      room.recovery?.start();
      expect(wanted).toEqual([room.session.id]);
      await room.end();
      expect(room.repairNames()).toEqual(['outbound.db replaced']);
    });

    it('finishes a replacement that was all but done', async () => {
      await room.haveAConversation();
      room.whenWanted = () => undefined;
      const ready = join(room.folders.repairDir(room.session.id), 'outbound-ready.db');
      room.store.repairs.want(room.session.id, {
        file: 'outbound.db',
        action: 'wanted',
        detail: 'test',
        createdAt: room.clock.iso(),
      });
      mkdirSync(join(ready, '..'), { recursive: true });
      renameSync(room.outboundPath, ready);
      await room.end();
      expect(room.texts()).toEqual(['reply to sent', 'reply to unsent']);
    });

    it('finishes a replacement of inbound.db likewise, before anything is read of it', async () => {
      await room.haveAConversation();
      room.whenWanted = () => undefined;
      const ready = join(room.folders.repairDir(room.session.id), 'inbound-ready.db');
      for (const file of ['inbound.db', 'outbound.db'] as const) {
        const wish = { file, action: 'wanted', detail: 'test' } as const;
        room.store.repairs.want(room.session.id, { ...wish, createdAt: room.clock.iso() });
      }
      mkdirSync(join(ready, '..'), { recursive: true });
      renameSync(room.inboundPath, ready);
      await room.end();
      expect(room.texts()).toEqual(['reply to sent', 'reply to unsent']);
      expect(room.toldAbout()).toEqual([]);
      expect(Object.keys(room.describe())).toEqual(['sent', 'unsent', 'claimed', 'waiting']);
      expect(existsSync(room.folders.repairDir(room.session.id))).toBe(false);
    });

    it('replaces both files where both are damaged, and tells what it cannot save', async () => {
      await room.haveAConversation();
      for (const path of [room.inboundPath, room.outboundPath]) writeFileSync(path, 'no database');
      await room.take('after');
      await room.delivery.loop.drain();
      await room.end();
      expect([...room.repairNames()].sort()).toEqual([
        'inbound.db replaced',
        'outbound.db replaced',
      ]);
      expect(room.toldAbout()).toEqual(expect.arrayContaining(['claimed', 'unsent', 'waiting']));
      expect(room.describe()['after']).toMatch(/^pending/);
      expect(room.texts()).toEqual(['reply to sent']);
    });

    it('gives replies up, and says so, that were to be sent again and are gone', async () => {
      await room.haveAConversation();
      const retry = { attempts: 1, dueAt: room.clock.iso(9_000), reason: 'busy', maybeSent: false };
      const messageOutId = 'reply to unsent';
      room.store.deliveryRetries.set({ ...retry, sessionId: room.session.id, messageOutId });
      rmSync(room.outboundPath);
      await room.deliver();
      await room.delivery.loop.drain();
      expect(Object.keys(room.outDeadLetters())).toEqual([messageOutId]);
      expect(room.store.deliveryRetries.list(room.session.id).size).toBe(0);
    });

    it('keeps the last three damaged files of a name', async () => {
      for (let round = 0; round < 5; round += 1) {
        await room.take(`m-${round}`);
        writeFileSync(room.outboundPath, `no database ${round}`);
        await room.end();
        room.clock.advance(1);
      }
      expect(room.repairs()).toHaveLength(5);
      const dir = room.folders.damagedDir(room.session.id);
      const texts = keptFiles().map((file) => readFileSync(join(dir, file), 'utf8'));
      expect(texts).toEqual(['no database 2', 'no database 3', 'no database 4']);
    });

    it('ends a session whose files are damaged again and again', async () => {
      for (let round = 0; round < 12; round += 1) {
        writeFileSync(room.outboundPath, 'no database');
        await room.end();
      }
      expect(room.store.sessions.find(room.session.id)).toMatchObject({ status: 'set-aside' });
      expect(room.repairs().length).toBeLessThanOrEqual(10);
    });

    it('leaves a session alone whose files are out of reach for a moment, and ends it where that lasts', async () => {
      await room.haveAConversation();
      const { recovery } = room;
      const facts = { path: room.inboundPath, errno: 'EIO', mayPass: true };
      const error = new BerthError('database_unreadable', 'It cannot be reached.', { facts });
      const look = (afterMs: number): boolean | undefined => {
        room.clock.advance(afterMs);
        return recovery?.report(room.session.id, error);
      };
      const status = () => room.store.sessions.find(room.session.id)?.status;
      expect([0, 2_000, 2_000].map(look)).toEqual([false, false, false]);
      expect(recovery?.abandon(room.session.id, error)).toBe(false);
      expect(status()).toBe('active');
      await room.deliver();
      expect([2_000, 2_000, 2_000].map(look)).toEqual([false, false, false]);
      expect(status()).toBe('active');
      expect(look(2_000)).toBe(true);
      expect(status()).toBe('set-aside');
    });

    it('ends a session whose folder cannot be reached', async () => {
      await room.haveAConversation();
      const folder = room.folders.folderOf(room.session.id);
      renameSync(folder, `${folder}.away`);
      writeFileSync(folder, '');
      await room.deliver();
      expect(room.store.sessions.find(room.session.id)).toMatchObject({ status: 'set-aside' });
      expect(room.notices().map(({ id }) => id)).toContain(`aside-${room.session.id}`);
    });

    it('ends a session whose agent has used up its numbers: nothing it says could be recorded', async () => {
      await room.haveAConversation();
      withDatabase(room.outboundPath, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
        db.exec(`INSERT INTO messages_out (id, seq, timestamp, kind, content)
                 VALUES ('last', 1125899906842623, '', 'chat', '{"text":"x"}')`);
      });
      await room.deliver();
      await room.take('m-next');
      const seqs = withDatabase(room.inboundPath, { mode: 'write', busyTimeoutMs: 0 }, (db) =>
        db.prepare('SELECT max(seq) FROM messages_in').pluck().get(),
      );
      expect(Number(seqs)).toBeLessThan(2 ** 26);
      room.runner.say('o-next');
      await room.deliver();
      expect(room.store.sessions.find(room.session.id)).toMatchObject({
        status: 'set-aside',
        statusReason: expect.stringContaining('number is too high') as string,
      });
      expect(room.notices().map(({ id }) => id)).toContain(`aside-${room.session.id}`);
    });

    it('says nothing of a session that nobody has written to', async () => {
      const blank = room.addSession();
      await room.end(blank);
      await room.deliver(blank);
      expect(room.store.repairs.listForSession(blank.id, 10)).toEqual([]);
      expect(room.notices()).toEqual([]);
    });

    it('makes files that everybody may read who has to', async () => {
      await room.haveAConversation();
      chmodSync(room.outboundPath, 0o644);
      for (const path of [room.outboundPath, room.inboundPath]) {
        writeFileSync(path, 'no database');
        await room.deliver();
        await room.delivery.loop.drain();
        const mode = execFileSync('stat', ['-c', '%a', path], { encoding: 'utf8' }).trim();
        expect(mode).toBe('644');
      }
      expect(room.repairs()).toHaveLength(2);
    });
  });
});
