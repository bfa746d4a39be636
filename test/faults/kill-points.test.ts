import { describe, expect, it } from 'vitest';
import { expectKept } from './session-audit.js';
import { DoomedHome } from './doomed-home.js';
import { rounds, Seeded } from './seeded.js';

/** The places on a message's way, each with what the daemon says there. */
const points = [
  ['after the inbound write, before anybody else knows of it', 'message written'],
  ['after the message is recorded, before its acknowledgement', 'message recorded'],
  ['before a container is started', 'container starting'],
  ['after a container is started', 'container started'],
  ['before the send', 'sends begun'],
  ['between the send and its note', 'send ended'],
  ['after the send is noted', 'sends noted'],
  ['while settling', 'messages settled'],
] as const;

const chats = ['a', 'b', 'c'];
const deathsEach = 3;

describe('kill -9 of the daemon', () => {
  it.each(points)('%s loses nothing and repeats nothing', async (_place, line) => {
    const random = Seeded.forTest();
    await using home = new DoomedHome('process');
    const ledger = home.ledger();
    for (let death = 0; death < deathsEach * rounds; death += 1) {
      // A container starts once for each chat, so that each death needs new chats.
      const group = chats.map((chat) => `${chat}${death}`);
      const doomed = home.run({ line, nth: random.between(1, group.length) });
      for (let i = 0; i < 4; i += 1) {
        for (const chat of group) ledger.say(chat, random.next() < 0.3 ? '!sleep 20' : '');
      }
      expect(await doomed.ended).toBe('SIGKILL');
      const healthy = home.run();
      await ledger.untilOver();
      if (death + 1 < deathsEach * rounds) await healthy.kill();
    }
    ledger.tellCounts({ killed: deathsEach * rounds });
    expect(ledger.counts()).toMatchObject({ answered: ledger.entries.length, reordered: 0 });
    await expectKept(home, ledger);
  });
});
