import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { DoomedHome } from './doomed-home.js';
import type { Ledger } from './ledger.js';
import { homeWith, mainRuntime } from './runtimes.js';
import { rounds, Seeded, tell } from './seeded.js';
import { expectKept } from './session-audit.js';

const kills = 200 * rounds;
const chats = ['a', 'b', 'c', 'd', 'e'];
const waitingEach = 4;

/** Chats where people write whenever they are answered, until told to stop. */
function keepBusy(ledger: Ledger, random: Seeded): { stop(): void } {
  const timer = setInterval(() => {
    const chat = random.pick(chats);
    if (ledger.waiting(chat) >= waitingEach) return;
    ledger.say(chat, random.next() < 0.2 ? `!sleep ${random.between(1, 100)}` : '');
  }, 10);
  return {
    stop: () => {
      clearInterval(timer);
    },
  };
}

/** How long a daemon takes from its start until it takes a message, here and now. */
async function measureStart(home: DoomedHome): Promise<number> {
  const beganAt = performance.now();
  const daemon = await home.runUntilReady();
  const tookMs = performance.now() - beganAt;
  await daemon.kill();
  return tookMs;
}

it(
  `loses nothing and repeats nothing when the daemon is killed ${kills} times under load`,
  { timeout: kills * 5_000 },
  async () => {
    const random = Seeded.forTest();
    await using home = homeWith(mainRuntime);
    const startMs = await measureStart(home);
    const ledger = home.ledger();
    const load = keepBusy(ledger, random);
    for (let kill = 0; kill < kills; kill += 1) {
      const daemon = home.run();
      // A quarter of them while it starts.
      const isEarly = random.next() < 0.25;
      await wait(isEarly ? random.next() * startMs : startMs + random.next() * 500);
      expect(daemon.isRunning).toBe(true);
      await daemon.kill();
    }
    load.stop();
    home.run();
    await ledger.untilOver();
    await ledger.untilAccepted();
    tell(`a start takes ${Math.round(startMs)} ms`);
    ledger.tellCounts({ killed: kills });
    expect(ledger.counts()).toMatchObject({ answered: ledger.entries.length, reordered: 0 });
    await expectKept(home, ledger);
  },
);
