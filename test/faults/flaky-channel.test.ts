import { describe, expect, it } from 'vitest';
import { until } from '../fakes/waiting.js';
import { DoomedHome, type DoomedDaemon } from './doomed-home.js';
import { FlakyPlatform, retryAfterMs, type Mood } from './flaky-platform.js';
import { rounds, Seeded } from './seeded.js';

const moods: readonly Mood[] = ['throw', 'hang', 'too-many', 'drop', 'take-and-drop'];
const messagesEach = 5;

async function settleDown(
  home: DoomedHome,
  platform: FlakyPlatform,
  chats: readonly string[],
): Promise<DoomedDaemon> {
  await home.addChannel('flaky');
  const daemon = await home.runUntilReady();
  for (const chat of chats) platform.say(chat);
  await platform.untilAnswered();
  await home.json('agent-groups', 'update', 'main', '--container-config', '{"retryBaseMs":500}');
  return daemon;
}

describe.concurrent('a channel that throws, hangs, is busy or breaks off', () => {
  it.each([
    ['knows a repeat by its id', true],
    ['shows every send', false],
  ])(
    'loses nothing, keeps the order and repeats nothing in silence, where its platform %s',
    { timeout: 120_000 },
    async (_name, sendsAreIdempotent) => {
      await using platform = new FlakyPlatform(sendsAreIdempotent);
      await using home = new DoomedHome('process', platform.env);
      await settleDown(home, platform, moods);
      const elsewhere = home.ledger();
      for (const mood of moods) platform.willMeet(mood, 'take', mood);
      for (let i = 0; i < messagesEach; i += 1) {
        for (const chat of moods) platform.say(chat);
        elsewhere.say('fine');
        await elsewhere.untilOver();
      }
      // A send that hangs is given half a minute.
      await platform.untilAnswered(60_000);
      platform.tellCounts();
      expect(platform.counts()).toMatchObject({
        accepted: platform.entries.length,
        lost: 0,
        silentRepeats: 0,
        reordered: 0,
      });
      const [busyAt = 0, againAt = 0] = platform.sentAt.get('too-many')!.slice(2);
      expect(againAt - busyAt).toBeGreaterThan(retryAfterMs - 100);
      // Another channel's chats wait for nothing.
      expect(Math.max(...elsewhere.latencies())).toBeLessThan(3_000);
    },
  );
});

describe('a channel that is away while its agents answer', () => {
  it(
    'keeps their replies without a try, also over a kill of the daemon, and sends each once',
    { timeout: 120_000 },
    async () => {
      await using platform = new FlakyPlatform(false);
      await using home = new DoomedHome('process', platform.env);
      const chats = ['a', 'b', 'c'];
      const daemon = await settleDown(home, platform, chats);
      for (const chat of chats) platform.say(chat, '!sleep 1500 ');
      await until(() => {
        expect(platform.counts().accepted).toBe(platform.entries.length);
      });
      await home.json('channels', 'disable', 'flaky');
      await until(() => {
        expect(awaited(home)).toBe(chats.length);
      });
      await daemon.kill();
      await home.runUntilReady();
      expect(platform.counts().answered).toBe(chats.length);
      await home.json('channels', 'enable', 'flaky');
      await platform.untilAnswered();
      platform.tellCounts();
      expect(platform.counts()).toMatchObject({ lost: 0, silentRepeats: 0, markedRepeats: 0 });
      expect(await home.json('dead-letters', 'list')).toEqual([]);
      expect(
        home.central((db) => db.prepare('SELECT count(*) FROM delivery_retries').pluck().get()),
      ).toBe(0);
    },
  );
});

/** How many chats have replies that wait for their channel. */
function awaited(home: DoomedHome): unknown {
  return home.central((db) => db.prepare('SELECT count(*) FROM awaited_listeners').pluck().get());
}

describe('kill -9 of the daemon, where the platform shows every send', () => {
  it.each(['sends begun', 'send ended', 'outcomes decided', 'messages settled'])(
    'at "%s" loses nothing and repeats nothing in silence',
    async (line) => {
      const random = Seeded.forTest();
      await using platform = new FlakyPlatform(false);
      await using home = new DoomedHome('process', platform.env);
      const chats = ['a', 'b', 'c'];
      await (await settleDown(home, platform, chats)).kill();
      const deaths = 3 * rounds;
      for (let death = 0; death < deaths; death += 1) {
        // A settled message is settled once for each chat at the least.
        const doomed = home.run({ line, nth: random.between(1, chats.length) });
        for (let i = 0; i < 3; i += 1) for (const chat of chats) platform.say(chat);
        expect(await doomed.ended).toBe('SIGKILL');
      }
      home.run();
      await platform.untilAnswered();
      platform.tellCounts({ killed: deaths });
      expect(platform.counts()).toMatchObject({
        accepted: platform.entries.length,
        lost: 0,
        silentRepeats: 0,
        reordered: 0,
      });
    },
  );
});
