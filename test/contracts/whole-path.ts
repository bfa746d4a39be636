import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BerthHome } from '../fakes/berth-home.js';

export interface WholePathHarness {
  /** A fresh home. */
  home(): BerthHome;
  /** Ids of the running containers of a home's sessions, by session. */
  running(home: BerthHome): Promise<ReadonlyMap<string, string>>;
}

interface SessionRow {
  readonly id: string;
}

/** A message goes in, a container answers, the reply comes out: the same story for every runtime. */
export function wholePath(name: string, harness: WholePathHarness): void {
  describe(`the whole path with the ${name} runtime`, () => {
    it('answers the first message of a fresh home without any question asked', async () => {
      await using home = harness.home();
      const { stdout, exitCode } = await home.berth('chat', 'hello');
      expect(stdout).toBe('echo: hello');
      expect(exitCode).toBe(0);
    });

    it('runs three chats in three containers, and their databases read as documented', async () => {
      await using home = harness.home();
      await home.start();
      await using wire = await home.wire();
      for (const platformId of ['a', 'b', 'c']) wire.say(`hi ${platformId}`, { platformId });
      await wire.until(() => wire.of('done').length === 3);
      for (const platformId of ['a', 'b', 'c']) {
        expect(wire.replies(platformId)).toEqual([`echo: hi ${platformId}`]);
      }
      const sessions = await home.json<SessionRow[]>('sessions', 'list');
      expect((await harness.running(home)).size).toBe(3);
      for (const { id } of sessions) {
        const conversation = sqlite3(
          join(home.sessionDir(id), 'in', 'inbound.db'),
          `ATTACH '${join(home.sessionDir(id), 'out', 'outbound.db')}' AS o;
           SELECT seq, who, text FROM (
             SELECT seq, 'in' AS who, content ->> 'text' AS text FROM messages_in
             UNION ALL SELECT seq, 'out', content ->> 'text' FROM o.messages_out) ORDER BY seq;`,
        );
        expect(conversation).toMatch(/^2\|in\|hi ([abc])\n3\|out\|echo: hi \1\n$/);
      }
    });

    it('takes a changed wiring for the next message while it runs', async () => {
      await using home = harness.home();
      await home.start();
      await using wire = await home.wire();
      wire.say('one');
      await wire.until(() => wire.of('done').length === 1);
      const [wiring] = await home.json<{ id: string }[]>('wirings', 'list');
      await home.json(
        'wirings',
        'update',
        wiring?.id ?? '',
        '--mode',
        'pattern',
        '--pattern',
        '^hey',
      );
      await wire.until(() => {
        wire.say('two');
        return wire.of('error').length > 0;
      });
      const repliesBefore = wire.of('reply').length;
      wire.say('hey three');
      await wire.until(() => wire.replies().includes('echo: hey three'));
      expect(wire.of('error')[0]).toMatchObject({ code: 'refused' });
      expect(wire.of('reply').length).toBeGreaterThan(repliesBefore);
    });

    it('delivers exactly one reply after kill -9 of the daemon in the middle of a turn', async () => {
      await using home = harness.home();
      await home.start();
      await using before = await home.wire();
      before.say('warm up');
      await before.until(() => before.of('done').length === 1);
      const containers = await harness.running(home);
      const pid = await home.pid();
      before.say('!sleep 1500 still there', { id: 'sleeper' });
      await before.until(() => before.of('ack').length === 2);
      await home.crash(pid);
      expect(await harness.running(home)).toEqual(containers);
      await home.start();
      await using after = await home.wire();
      after.subscribe('local');
      await after.until(() => after.replies().length > 0);
      after.say('!sleep 1500 still there', { id: 'sleeper' });
      after.say('and now');
      await after.until(() => after.replies().includes('echo: and now'));
      expect(after.replies()).toEqual(['echo: still there', 'echo: and now']);
      expect(await harness.running(home)).toEqual(containers);
    });

    it('adopts running containers after `berth restart` and ends them at `berth stop`', async () => {
      await using home = harness.home();
      await home.start();
      await using wire = await home.wire();
      wire.say('hello');
      await wire.until(() => wire.of('done').length === 1);
      const containers = await harness.running(home);
      expect((await home.berth('restart')).exitCode).toBe(0);
      expect(await harness.running(home)).toEqual(containers);
      expect((await home.berth('chat', 'again')).stdout).toBe('echo: again');
      expect(await harness.running(home)).toEqual(containers);
      expect((await home.berth('stop')).exitCode).toBe(0);
      expect((await harness.running(home)).size).toBe(0);
    });

    it('takes a message with the same client id once', async () => {
      await using home = harness.home();
      await home.start();
      await using wire = await home.wire();
      for (let i = 0; i < 3; i += 1) wire.say('once', { id: 'same' });
      wire.say('last');
      await wire.until(() => wire.replies().includes('echo: last'));
      expect(wire.replies()).toEqual(['echo: once', 'echo: last']);
      expect(new Set(wire.of('ack').map((line) => line['messageId'])).size).toBe(2);
    });

    it('answers a burst in order, and its container starts once', async () => {
      await using home = harness.home();
      await home.start();
      await using wire = await home.wire();
      const texts = Array.from({ length: 50 }, (_, i) => `message ${i}`);
      for (const text of texts) wire.say(text);
      await wire.until(() => wire.of('done').length === 50);
      expect(wire.replies()).toEqual(texts.map((text) => `echo: ${text}`));
      expect((await harness.running(home)).size).toBe(1);
    });

    it('brings a new destination to a running session without a restart', async () => {
      await using home = harness.home();
      await home.start();
      await using wire = await home.wire();
      wire.say('hello');
      wire.subscribe('elsewhere');
      await wire.until(() => wire.of('done').length === 1);
      const containers = await harness.running(home);
      await home.json(
        'destinations',
        'add',
        'main',
        'side',
        '--channel',
        'terminal',
        '--platform-id',
        'elsewhere',
      );
      await wire.until(() => {
        wire.say('!send side over there');
        return wire.replies('elsewhere').includes('over there');
      });
      expect(await harness.running(home)).toEqual(containers);
    });

    it('tells the chat about a message that could not be handled', async () => {
      await using home = harness.home();
      await home.start();
      await home.json(
        'agent-groups',
        'update',
        'main',
        '--container-config',
        '{"tries":2,"retryBaseMs":50}',
      );
      const failed = await home.berth('chat', '!fail');
      expect(failed.exitCode).toBe(1);
      expect(failed.stdout).toContain('could not be handled');
      expect((await home.berth('chat', 'fine')).stdout).toBe('echo: fine');
    });

    it('answers what waits behind a message that ends the container, and gives that one up', async () => {
      await using home = harness.home();
      await home.start();
      await home.json(
        'agent-groups',
        'update',
        'main',
        '--container-config',
        '{"tries":2,"retryBaseMs":50}',
      );
      await using wire = await home.wire();
      wire.say('!exit 3');
      wire.say('one');
      wire.say('two');
      await wire.until(() => wire.of('done').length === 3);
      const texts = wire.replies();
      expect(texts.filter((text) => text === 'echo: one')).toHaveLength(1);
      expect(texts.filter((text) => text === 'echo: two')).toHaveLength(1);
      expect(texts.filter((text) => text.includes('could not be handled'))).toHaveLength(1);
    });

    it('keeps replies that nobody listens to, and sends them once at the next subscribe', async () => {
      await using home = harness.home();
      await home.start();
      {
        await using wire = await home.wire();
        wire.say('!sleep 300 kept');
        await wire.until(() => wire.of('ack').length === 1);
      }
      const [session] = await home.json<SessionRow[]>('sessions', 'list');
      await expect
        .poll(() => home.json<{ messages: unknown[] }>('sessions', 'messages', session?.id ?? ''))
        .toMatchObject({ length: 2 });
      await using later = await home.wire();
      later.subscribe('local');
      await later.until(() => later.replies().length > 0);
      later.say('next');
      await later.until(() => later.replies().includes('echo: next'));
      expect(later.replies()).toEqual(['echo: kept', 'echo: next']);
    });
  });
}

function sqlite3(path: string, sql: string): string {
  return execFileSync('sqlite3', [path, sql], { encoding: 'utf8' });
}
