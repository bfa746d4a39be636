import { describe, expect, it } from 'vitest';
import type { BerthHome } from '../fakes/berth-home.js';
import { until } from '../fakes/waiting.js';
import type { WholePathHarness } from './whole-path.js';

interface SessionRow {
  readonly id: string;
  readonly status: string;
  readonly containerStatus: string;
}

/** Checks who gets a container, for how long, and what becomes of one that hangs: the same story for every runtime. */
export function placesPath(
  name: string,
  harness: Omit<WholePathHarness, 'home'> & {
    home(env?: Record<string, string>): BerthHome;
  },
): void {
  async function configure(home: BerthHome, config: Record<string, unknown>): Promise<void> {
    await home.json('agent-groups', 'update', 'main', '--container-config', JSON.stringify(config));
  }

  describe(`places for containers with the ${name} runtime`, () => {
    it('are left by a container that has nothing to do, and taken again with the next message', async () => {
      await using home = harness.home();
      await home.start();
      await configure(home, { idleTimeoutMs: 1_000 });
      await using wire = await home.wire();
      wire.say('one');
      await wire.until(() => wire.of('done').length === 1);
      await until(async () => {
        expect((await harness.running(home)).size).toBe(0);
      });
      wire.say('two');
      await wire.until(() => wire.of('done').length === 2);
      expect(wire.replies()).toEqual(['echo: one', 'echo: two']);
    });

    it('are made by idle containers at once; who waits behind busy ones is told its place', async () => {
      await using home = harness.home({ BERTH_MAX_CONTAINERS: '1' });
      await home.start();
      await using wire = await home.wire();
      wire.say('hi', { platformId: 'a' });
      await wire.until(() => wire.replies('a').length === 1);
      wire.say('!sleep 7000 done', { platformId: 'b' });
      wire.say('hi', { platformId: 'c' });
      await wire.until(() => wire.replies('c').length === 1);
      expect(wire.replies('b')).toEqual([]);
      expect(wire.replies('c')[0]).toContain('number 1 in the queue');
      await wire.until(() => wire.replies('c').length === 2);
      expect(wire.replies('b')).toEqual(['echo: done']);
      expect(wire.replies('c')[1]).toBe('echo: hi');
      expect((await harness.running(home)).size).toBe(1);
    });

    it('are kept by a turn that announced its silence, and lost by one that hangs', async () => {
      await using home = harness.home();
      await home.start();
      await configure(home, { silenceTimeoutMs: 1_000, tries: 2, retryBaseMs: 200 });
      await using wire = await home.wire();
      wire.say('!hang', { platformId: 'stuck' });
      await wire.until(() => wire.of('ack').length === 1);
      wire.say('after', { platformId: 'stuck' });
      wire.say('!quiet 12000 awake', { platformId: 'quiet' });
      await wire.until(() => wire.of('done').length === 3, 90_000);
      expect(wire.replies('quiet')).toEqual(['echo: awake']);
      expect(wire.replies('stuck').some((text) => text.includes('could not be handled'))).toBe(
        true,
      );
      expect(wire.replies('stuck')).toContain('echo: after');
    });

    it('are prewarmed for new conversations', async () => {
      await using home = harness.home();
      await home.start();
      await configure(home, { warmSessions: 1 });
      const list = (): Promise<SessionRow[]> => home.json<SessionRow[]>('sessions', 'list');
      const findPrewarmed = async (): Promise<SessionRow | undefined> =>
        (await list()).find((row) => row.status === 'warm' && row.containerStatus === 'running');
      await until(async () => {
        expect(await findPrewarmed()).toBeDefined();
      });
      const prewarmed = await findPrewarmed();
      await using wire = await home.wire();
      wire.say('hello');
      await wire.until(() => wire.of('done').length === 1);
      expect(wire.replies()).toEqual(['echo: hello']);
      expect((await list()).find(({ id }) => id === prewarmed?.id)?.status).toBe('active');
      await until(async () => {
        expect((await findPrewarmed())?.id).not.toBe(prewarmed?.id);
        expect(await findPrewarmed()).toBeDefined();
      });
    });
  });
}
