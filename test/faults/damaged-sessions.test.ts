import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { DoomedHome } from './doomed-home.js';
import { killAtWrite, whyNoTracing } from './killing-write.js';
import type { Entry, Ledger } from './ledger.js';
import { isMissing } from './prerequisites.js';
import { homeWith, mainRuntime, runnerOf } from './runtimes.js';
import { Seeded, tell, tellTable } from './seeded.js';
import { expectKept } from './session-audit.js';

const others = Array.from({ length: 50 }, (_, index) => `other${index}`);
const roundsEach = 2;
const attempts = 3;
/** Between one message and the next: well within what two cores can do. */
const gapMs = 20;

/** The damage that is done to one session. `heal` makes it usable again. */
interface Damage {
  readonly name: string;
  apply(place: { home: DoomedHome; chat: string; folder: string; random: Seeded }): Promise<void>;
  heal?(place: { folder: string }): void;
}

const damages: readonly Damage[] = [
  {
    name: 'outbound.db with flipped bytes',
    apply: ({ folder, random }) => {
      flipBytes(join(folder, 'out', 'outbound.db'), random);
      return Promise.resolve();
    },
  },
  {
    name: 'inbound.db with flipped bytes',
    apply: ({ folder, random }) => {
      flipBytes(join(folder, 'in', 'inbound.db'), random);
      return Promise.resolve();
    },
  },
  {
    name: 'a deleted inbound.db',
    apply: ({ folder }) => {
      rmSync(join(folder, 'in', 'inbound.db'));
      return Promise.resolve();
    },
  },
  {
    name: 'a folder that cannot be read',
    // Modes mean nothing to root: a file in the folder's place does to everybody what a mode does.
    apply: ({ folder }) => {
      renameSync(folder, `${folder}.away`);
      writeFileSync(folder, '');
      return Promise.resolve();
    },
    heal: ({ folder }) => {
      if (!existsSync(`${folder}.away`)) return;
      rmSync(folder, { recursive: true, force: true });
      renameSync(`${folder}.away`, folder);
    },
  },
  ...(isMissing('a commit torn among 50 sessions', whyNoTracing())
    ? []
    : [
        {
          name: 'a runner killed in a commit',
          apply: async ({ home, chat, random }) => {
            const { pid, outboundPath } = await runnerOf(home, mainRuntime, chat);
            await killAtWrite(pid, outboundPath, random.between(1, 4));
          },
        } satisfies Damage,
      ]),
];

/** Every page but the first loses a good part of its bytes. */
function flipBytes(path: string, random: Seeded): void {
  const bytes = readFileSync(path);
  for (let at = 4_096; at < statSync(path).size; at += 1) {
    if (random.next() < 0.3) bytes[at] = random.between(0, 255);
  }
  writeFileSync(path, bytes);
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Each of the others says something in its turn and is answered, some times over. */
async function talk(ledger: Ledger): Promise<readonly Entry[]> {
  const said: Entry[] = [];
  for (let round = 0; round < roundsEach; round += 1) {
    for (const chat of others) {
      said.push(ledger.say(chat));
      await wait(gapMs);
    }
    await ledger.untilOver(60_000, said);
  }
  return said;
}

/** Says again what was refused while the damage lasted. */
async function untilAnswered(victims: Ledger): Promise<void> {
  for (const entry of victims.entries) if (entry.messageId === undefined) victims.sayAgain(entry);
  await victims.untilOver(30_000).catch((error: unknown) => {
    tell(String(error));
  });
}

/** The delay that still counts as normal. */
function limitOf(normal: readonly number[]): number {
  const p95 = percentile(normal, 0.95);
  return Math.max(p95 * 3, p95 + 150);
}

function describeTimes(name: string, times: readonly number[]): Record<string, string | number> {
  return {
    'what happened to one session': name,
    'median ms': Math.round(percentile(times, 0.5)),
    'p95 ms': Math.round(percentile(times, 0.95)),
  };
}

describe('one damaged session', () => {
  it('suffers alone: 50 others answer in normal time', async () => {
    const random = Seeded.forTest();
    await using home = homeWith(mainRuntime, {
      BERTH_MAX_CONTAINERS: '60',
      BERTH_MEMORY_BUDGET_MB: '100000',
    });
    home.run();
    const ledger = home.ledger();
    const victims = home.ledger('v');
    for (const chat of others) ledger.say(chat);
    const names = damages.map((_, index) => `victim${index}`);
    for (const chat of names) victims.say(chat);
    await Promise.all([ledger.untilOver(), victims.untilOver()]);
    await home.json('agent-groups', 'update', 'main', '--container-config', '{"retryBaseMs":500}');

    const rows: Record<string, string | number>[] = [];
    const measure = async (name: string): Promise<readonly number[]> => {
      const times = ledger.latencies(await talk(ledger));
      rows.push(describeTimes(name, times));
      return times;
    };
    let normal = await measure('nothing');
    const slow: string[] = [];
    for (const [index, damage] of damages.entries()) {
      const chat = names[index]!;
      const folder = home.sessionDir(home.sessionOf(chat));
      for (let attempt = 1; ; attempt += 1) {
        await damage.apply({ home, chat, folder, random });
        for (let i = 0; i < 3; i += 1) victims.say(chat);
        const times = await measure(damage.name);
        damage.heal?.({ folder });
        if (percentile(times, 0.95) <= limitOf(normal)) break;
        // A machine that has other things to do is no fault of that session.
        await untilAnswered(victims);
        normal = await measure('nothing');
        if (percentile(times, 0.95) <= limitOf(normal)) break;
        if (attempt < attempts) continue;
        slow.push(damage.name);
        break;
      }
    }
    tellTable(rows);
    expect(slow).toEqual([]);

    await untilAnswered(victims);
    tellTable(
      names.map((chat, index) => ({
        damage: damages[index]!.name,
        said: victims.entriesOf(chat).length,
        answered: victims.entriesOf(chat).filter((it) => it.answeredAt !== undefined).length,
        'given up aloud': victims.entriesOf(chat).filter((it) => it.status === 'failed').length,
      })),
    );
    ledger.tellCounts();
    expect(victims.counts()).toMatchObject({
      said: victims.counts().accepted,
      lost: 0,
      repeated: 0,
    });
    expect(ledger.counts()).toMatchObject({ answered: ledger.entries.length, reordered: 0 });
    await expectKept(home, ledger);
  });
});
