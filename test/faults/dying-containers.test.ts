import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { execa } from 'execa';
import { describe, expect, inject, it } from 'vitest';
import { hasCode } from '../../shared/base/errors.js';
import { withDatabase } from '../../shared/base/sqlite/sqlite.js';
import { until } from '../fakes/waiting.js';
import type { DoomedHome } from './doomed-home.js';
import { killAtWrite, whyNoTracing } from './killing-write.js';
import type { Entry, Ledger } from './ledger.js';
import { isMissing } from './prerequisites.js';
import { containerOf, homeWith, runnerOf } from './runtimes.js';
import { rounds, Seeded } from './seeded.js';
import { auditSessions, expectKept } from './session-audit.js';

const docker = inject('docker');
const followUps = 3;
const retryBaseMs = 1_000;
/** The first backoff and its spread, the start of a container, and a slow machine. */
const firstBackoffMs = 7_000;

/** A chat whose container runs, with short waits after a failure. */
async function settleDown(home: DoomedHome, config: object): Promise<Ledger> {
  await home.runUntilReady();
  const settings = JSON.stringify({ retryBaseMs, tries: 2, ...config });
  await home.json('agent-groups', 'update', 'main', '--container-config', settings);
  const ledger = home.ledger();
  for (const chat of ['victim', 'other']) ledger.say(chat);
  await ledger.untilOver();
  return ledger;
}

/** A turn that takes a while, and messages queued behind it. */
function sayBusy(ledger: Ledger): readonly Entry[] {
  const turn = ledger.say('victim', '!sleep 1500');
  return [turn, ...sayFollowUps(ledger)];
}

function sayFollowUps(ledger: Ledger): readonly Entry[] {
  return Array.from({ length: followUps }, () => ledger.say('victim'));
}

async function untilClaimed(home: DoomedHome, entry: Entry): Promise<void> {
  await until(() => {
    const claims = home.claimsOf('victim');
    expect(claims).toContain(entry.messageId);
  });
}

function expectAnsweredSoon(ledger: Ledger, entries: readonly Entry[]): void {
  const slowest = Math.max(...ledger.latencies(entries));
  ledger.tellCounts({ 'slowest ms': Math.round(slowest) });
  expect(slowest).toBeLessThan(firstBackoffMs);
}

/** Reads within a transaction that it never ends: its shared lock keeps the host from writing. */
const holdInbound = `
  const addon = require('/opt/berth/better_sqlite3.node');
  addon.setErrorConstructor(Error);
  const db = new addon.Database('/workspace/in/inbound.db', 'inbound.db', false, true, true, 0, null, null);
  db.exec('BEGIN; SELECT * FROM messages_in');
  setInterval(() => db.open, 1_000);`;

function isLocked(home: DoomedHome, chat: string): boolean {
  const path = join(home.sessionDir(home.sessionOf(chat)), 'in', 'inbound.db');
  try {
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) =>
      db.exec('BEGIN EXCLUSIVE; ROLLBACK'),
    );
    return false;
  } catch (error) {
    return hasCode(error, 'database_busy');
  }
}

describe.skipIf(!docker.available)('a container that dies in a turn', () => {
  const newHome = (): DoomedHome => homeWith('docker');

  it('by docker kill: its message and what waits behind it are answered after the first backoff', async () => {
    const random = Seeded.forTest();
    await using home = newHome();
    const ledger = await settleDown(home, {});
    for (let round = 0; round < 2 * rounds; round += 1) {
      const said = sayBusy(ledger);
      await untilClaimed(home, said[0]!);
      await wait(random.next() * 1_000);
      await execa('docker', ['kill', await containerOf(home, 'victim')]);
      await ledger.untilOver();
      expectAnsweredSoon(ledger, said);
      expect(auditSessions(home).get(said[0]!.messageId!)).toMatchObject([{ tries: 1 }]);
    }
    await expectKept(home, ledger);
  });

  it('for want of memory: likewise', async () => {
    await using home = newHome();
    const ledger = await settleDown(home, { memoryMb: 64 });
    const events = execa('docker', ['events', '--filter', 'event=oom', '--format', '{{.ID}}'], {
      reject: false,
    });
    const oom = once(createInterface({ input: events.stdout }), 'line');
    const said = sayBusy(ledger);
    await untilClaimed(home, said[0]!);
    const container = await containerOf(home, 'victim');
    // Files in /tmp count as its memory.
    await execa('docker', ['exec', container, 'dd', 'if=/dev/zero', 'of=/tmp/filler', 'bs=1M'], {
      reject: false,
    });
    expect(await oom).toEqual([container]);
    events.kill();
    await ledger.untilOver();
    expectAnsweredSoon(ledger, said);
    expect(auditSessions(home).get(said[0]!.messageId!)).toMatchObject([{ tries: 1 }]);
    await expectKept(home, ledger);
  });

  it('because it held a lock on its inbound.db: what could not be written is, and is answered', async () => {
    await using home = newHome();
    const ledger = await settleDown(home, {});
    const container = await containerOf(home, 'victim');
    await execa('docker', ['exec', '--detach', container, 'node', '-e', holdInbound]);
    await until(() => {
      expect(isLocked(home, 'victim')).toBe(true);
    });
    const said = [...sayFollowUps(ledger), ledger.say('other')];
    await ledger.untilOver(30_000);
    ledger.tellCounts({ 'slowest ms': Math.round(Math.max(...ledger.latencies(said))) });
    expect(await containerOf(home, 'victim')).not.toBe(container);
    expect(ledger.counts()).toMatchObject({ accepted: 6, answered: 6, lost: 0 });
    await expectKept(home, ledger);
  });

  it.each([
    ['!exit 3', firstBackoffMs],
    ['!fail', firstBackoffMs],
    // A container is let alone for ten seconds after its start, and what shared a turn with the one at fault waits for
    // its second try.
    ['!hang', 2 * firstBackoffMs + 20_000],
  ])(
    'by %s: what waits behind is answered, and the one at fault is given up aloud',
    async (text, limitMs) => {
      await using home = newHome();
      const ledger = await settleDown(home, { silenceTimeoutMs: 1_000 });
      const atFault = ledger.sayUnanswerable('victim', text);
      await ledger.until(() => atFault.messageId !== undefined);
      const others = [...sayFollowUps(ledger), ledger.say('other')];
      await ledger.untilOver(60_000);
      const slowest = Math.max(...ledger.latencies(others));
      ledger.tellCounts({ 'slowest ms': Math.round(slowest) });
      expect(slowest).toBeLessThan(limitMs);
      expect(atFault.status).toBe('failed');
      expect(ledger.counts()).toMatchObject({ toldFailed: 1, lost: 0, repeated: 0 });
      await expectKept(home, ledger);
    },
  );

  it.skipIf(isMissing('a commit torn in a container', whyNoTracing()))(
    'in the middle of a commit: likewise',
    async () => {
      const random = Seeded.forTest();
      await using home = newHome();
      const ledger = await settleDown(home, {});
      const { pid, outboundPath } = await runnerOf(home, 'docker', 'victim');
      const { sprung } = await killAtWrite(pid, outboundPath, random.between(1, 4));
      const said = sayFollowUps(ledger);
      await sprung;
      await ledger.untilOver();
      expectAnsweredSoon(ledger, said);
      await expectKept(home, ledger);
    },
  );
});
