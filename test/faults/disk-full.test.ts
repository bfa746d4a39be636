import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { until } from '../fakes/waiting.js';
import { DoomedHome } from './doomed-home.js';
import type { Entry, Ledger } from './ledger.js';
import { isMissing } from './prerequisites.js';
import { Seeded } from './seeded.js';
import { expectKept } from './session-audit.js';
import { SmallDisk, whyNoSmallDisk } from './small-disk.js';

const chats = ['a', 'b', 'c'];
const sayings = 10;

/** Each message has been taken or refused: nobody is left in the dark. */
async function untilAnsweredFor(ledger: Ledger, entries: readonly Entry[]): Promise<void> {
  await ledger.until(() =>
    entries.every((entry) => entry.messageId !== undefined || entry.refusals.length > 0),
  );
}

/** Checks that everybody who was refused was told the reason. */
function expectDiskFull(ledger: Ledger): void {
  const refusals = ledger.entries.flatMap((entry) => entry.refusals);
  expect(refusals.length).toBeGreaterThan(0);
  expect(refusals.filter(({ code }) => code !== 'disk_full')).toEqual([]);
}

/** As a person would: what was refused is said again. */
function sayRefusedAgain(ledger: Ledger): readonly Entry[] {
  const refused = ledger.entries.filter(({ messageId }) => messageId === undefined);
  for (const entry of refused) ledger.sayAgain(entry);
  return refused;
}

async function sayMuch(ledger: Ledger, random: Seeded, to: readonly string[]): Promise<Entry[]> {
  const said: Entry[] = [];
  for (let i = 0; i < sayings; i += 1) {
    said.push(...to.map((chat) => ledger.say(chat, random.next() < 0.3 ? '!sleep 30' : '')));
    await new Promise((resolve) => setTimeout(resolve, random.between(1, 30)));
  }
  return said;
}

describe.skipIf(isMissing('a full disk', whyNoSmallDisk()))('a full disk', () => {
  it('in data/ refuses what cannot be written, loses nothing, and goes on by itself', async () => {
    const random = Seeded.forTest();
    await using home = new DoomedHome('process');
    using disk = new SmallDisk(join(home.home, 'data'), 8);
    const daemon = await home.runUntilReady();
    const ledger = home.ledger();
    await sayMuch(ledger, random, chats);
    await ledger.untilOver();
    const late = sayMuch(ledger, random, chats);
    disk.fill();
    await late;
    const said = await sayMuch(ledger, random, chats);
    await untilAnsweredFor(ledger, said);
    expectDiskFull(ledger);
    expect((await home.json<{ problem: string }>('status')).problem).toContain('the disk is full');
    disk.free();
    const refused = sayRefusedAgain(ledger);
    await ledger.untilOver();
    ledger.tellCounts({ refused: refused.length });
    expect(refused.length).toBeGreaterThan(0);
    expect(ledger.counts().answered).toBe(ledger.entries.length);
    await expectKept(home, ledger);
    await daemon.stop();
  });

  it('in one session keeps that one chat waiting, and no other', async () => {
    const random = Seeded.forTest();
    await using home = new DoomedHome('process');
    const before = home.run();
    const ledger = home.ledger();
    for (const chat of chats) ledger.say(chat);
    await ledger.untilOver();
    const folder = home.sessionDir(home.sessionOf('a'));
    await before.stop();

    const copy = join(home.home, 'copy');
    renameSync(folder, copy);
    using disk = new SmallDisk(folder, 2);
    execFileSync('cp', ['-a', `${copy}/.`, folder]);
    const daemon = await home.runUntilReady();
    disk.fill();
    const others = await sayMuch(ledger, random, ['b', 'c']);
    const mine = await sayMuch(ledger, random, ['a']);
    await ledger.untilOver(30_000, others);
    await untilAnsweredFor(ledger, mine);
    expectDiskFull(ledger);
    disk.free();
    const refused = sayRefusedAgain(ledger);
    await ledger.untilOver();
    ledger.tellCounts({ refused: refused.length });
    expect(ledger.counts().answered).toBe(ledger.entries.length);
    await expectKept(home, ledger);
    await daemon.stop();
  });

  it('in data/logs keeps nobody waiting, and the log says what it lost', async () => {
    const random = Seeded.forTest();
    await using home = new DoomedHome('process');
    using disk = new SmallDisk(join(home.home, 'data', 'logs'), 1);
    const daemon = await home.runUntilReady();
    const ledger = home.ledger();
    disk.fill();
    await sayMuch(ledger, random, chats);
    await ledger.untilOver();
    disk.free();
    await sayMuch(ledger, random, chats);
    await ledger.untilOver();
    ledger.tellCounts();
    await until(() => {
      expect(readFileSync(join(disk.folder, 'daemon.log'), 'utf8')).toContain('log lines dropped');
    });
    expect(ledger.counts()).toMatchObject({ answered: ledger.entries.length, reordered: 0 });
    await expectKept(home, ledger);
    await daemon.stop();
  });
});
