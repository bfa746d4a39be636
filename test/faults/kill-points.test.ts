import { describe, expect, it } from 'vitest';
import { expectKept } from './session-audit.js';
import { homeWith, mainRuntime, type FaultRuntime } from './runtimes.js';
import { rounds, Seeded } from './seeded.js';

/** The places on a message's way, each with what the daemon says there. */
const points = [
  ['after the inbound write, before anybody else knows of it', 'message written'],
  ['after the message is recorded, before its acknowledgement', 'message recorded'],
  ['before a container is started', 'container starting'],
  ['after a container is started', 'container started'],
  ['after a pass has read both databases', 'facts read'],
  ['after the sends are noted as begun, before the first', 'sends begun'],
  ['after the send, before the outcomes are decided', 'send ended'],
  ['before outcomes and acks are noted, in one transaction', 'outcomes decided'],
  ['after they are noted, before the next pass is planned', 'messages settled'],
  ['at the end of a pass, before its channel is told of it', 'next pass planned'],
] as const;

const chats = ['a', 'b', 'c'];
const deathsEach = 3;

async function dieAt(line: string, runtime: FaultRuntime): Promise<void> {
  const random = Seeded.forTest();
  await using home = homeWith(runtime);
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
}

describe('kill -9 of the daemon', () => {
  it.each(points)(`%s loses nothing and repeats nothing (${mainRuntime})`, (_place, line) =>
    dieAt(line, mainRuntime),
  );

  it.runIf(mainRuntime === 'docker').each(points.filter(([place]) => place.includes('container')))(
    '%s loses nothing and repeats nothing (process)',
    (_place, line) => dieAt(line, 'process'),
  );
});
