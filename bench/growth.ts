/** Whether it stays as fast when it has been used for long: by sessions, and by rows in one session. */
import { join } from 'node:path';
import { withDatabase } from '../shared/base/sqlite/sqlite.js';
import type { BenchHome } from './bench-home.js';
import { Chat } from './chat.js';
import { copyRow } from './copied-rows.js';
import { fillWithSessions, untilWritten } from './used-sessions.js';
import { atMost, type Measure, type Series } from './measure.js';
import { cpuMsOf } from './process-cost.js';
import { timeInTurns, usingDaemons } from './side-by-side.js';
import { summarize } from './statistics.js';
import { usedSessionCount, type Workbench } from './workbench.js';

const turns = 12;
const messagesPerTurn = 20;
const rowCounts = [10, 1_000, 100_000];
/** The ratio that counts as flat: the largest against the smallest. */
const flatPercent = 10;

export const growth: Measure = {
  name: 'growth',
  title: 'growth: warm latency and daemon CPU by sessions, latency by rows',
  method: `A daemon for each size side by side, in ${turns} turns of ${messagesPerTurn} messages to one running container; the daemon’s time on a core is that of its own turns. Then one daemon with a chat for each number of rows (in each of messages_in, messages_out, delivered and processing_ack).`,
  target: 'flat',
  run: async (bench) => {
    const [latency, cpu] = await growBySessions(bench);
    const rows = await growByRows(bench);
    return {
      goals: [
        flatness('latency by sessions', latency),
        flatness('CPU by sessions', cpu),
        flatness('latency by rows', rows),
      ],
      series: [latency, cpu, rows],
    };
  },
};

function flatness(what: string, { points }: Series): ReturnType<typeof atMost> {
  const first = points[0]?.value ?? Number.NaN;
  const last = points.at(-1)?.value ?? Number.NaN;
  return atMost(`${what} grown by`, (last / first - 1) * 100, flatPercent, '%');
}

async function growBySessions(bench: Workbench): Promise<readonly [Series, Series]> {
  const sizes = [10, 100, 1_000];
  const homes: BenchHome[] = [];
  for (const size of sizes) {
    const home = bench.home();
    homes.push(home);
    await fillWithSessions(home, size, bench.signal);
  }
  homes.push(await bench.filledHome());
  sizes.push(usedSessionCount);
  return await usingDaemons(homes, async (sides) => {
    const pids = await Promise.all(homes.map((home) => home.pid()));
    const cpuMs = homes.map(() => 0);
    const times = await timeInTurns(sides, turns, messagesPerTurn, async (index, turn) => {
      const before = cpuMsOf(pids[index] ?? 0);
      await turn();
      cpuMs[index] = (cpuMs[index] ?? 0) + cpuMsOf(pids[index] ?? 0) - before;
    });
    const points = (values: readonly number[]): Series['points'] =>
      sizes.map((size, index) => ({ size, value: values[index] ?? Number.NaN }));
    const messages = turns * messagesPerTurn;
    return [
      {
        title: 'warm message → reply, median',
        sizes: 'sessions',
        unit: 'ms',
        points: points(times.map((one) => summarize(one).median)),
      },
      {
        title: 'the daemon’s CPU for a message',
        sizes: 'sessions',
        unit: 'ms',
        points: points(cpuMs.map((ms) => ms / messages)),
      },
    ] as const;
  });
}

async function growByRows(bench: Workbench): Promise<Series> {
  await using home = bench.home();
  await home.start();
  await using before = await home.wire();
  for (const count of rowCounts) await new Chat(before, `rows-${count}`).exchange('the first');
  const sessionIds = rowCounts.map((count) => home.sessionOf(`rows-${count}`));
  await home.stop();
  for (const [index, count] of rowCounts.entries()) {
    fillWithRows(home.sessionDir(sessionIds[index] ?? ''), count);
  }
  await untilWritten();
  await home.start();
  await using wire = await home.wire();
  const sides = rowCounts.map((count) => ({ chat: new Chat(wire, `rows-${count}`) }));
  for (const { chat } of sides) await chat.warmUp();
  const times = await timeInTurns(sides, turns, messagesPerTurn);
  return {
    title: 'warm message → reply, median',
    sizes: 'rows in the session',
    unit: 'ms',
    points: times.map((one, index) => ({
      size: rowCounts[index] ?? Number.NaN,
      value: summarize(one).median,
    })),
  };
}

/** Copies the one exchange that was had: as many messages, acks, replies and deliveries. */
function fillWithRows(folder: string, count: number): void {
  const fill = (path: string, tables: Readonly<Record<string, Copies>>): void => {
    withDatabase(join(folder, path), { mode: 'write', busyTimeoutMs: 1_000 }, (db) => {
      db.transaction(() => {
        for (const [table, { key, columns }] of Object.entries(tables)) {
          const value = db.prepare<[], string>(`SELECT ${key} FROM ${table}`).pluck().get() ?? '';
          copyRow(db, table, { column: key, value }, count, columns);
        }
      })();
    });
  };
  const copyId = (column: string): string => `original.${column} || '-' || n`;
  fill('in/inbound.db', {
    messages_in: { key: 'id', columns: { id: copyId('id'), seq: '2 + 2 * n' } },
    delivered: { key: 'message_out_id', columns: { message_out_id: copyId('message_out_id') } },
  });
  fill('out/outbound.db', {
    messages_out: {
      key: 'id',
      columns: { id: copyId('id'), in_reply_to: copyId('in_reply_to'), seq: '3 + 2 * n' },
    },
    processing_ack: { key: 'message_id', columns: { message_id: copyId('message_id') } },
  });
}

interface Copies {
  readonly key: string;
  readonly columns: Readonly<Record<string, string>>;
}
