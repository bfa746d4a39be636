/** Counts what the daemon and its children do with SQLite for one warm message, from its ack until nothing moves any more. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { delay } from '../../shared/base/lifecycle.js';
import type { TerminalWire } from '../../test/fakes/terminal-wire.js';
import { BenchHome } from '../bench-home.js';
import { Chat } from '../chat.js';
import { findEngine } from '../engine.js';
import { daemonTree } from '../process-tree.js';
import { summarize } from '../statistics.js';
import { atMostFigure, plainFigure, withoutReach, type Figure } from './figure.js';
import { EventFolder, readStrace, type SqliteEvent } from './sqlite-events.js';

const warmUps = 20;
const messages = 50;
/** Longer than what the daemon puts off until after the reply. */
const settlingMs = 150;

/** When one message was said, acknowledged, and everything about it done; milliseconds since 1970. */
interface Exchange {
  readonly saidAt: number;
  readonly ackedAt: number;
  readonly settledAt: number;
}

export interface WarmFigures {
  readonly afterAck: readonly Figure[];
  readonly whole: readonly Figure[];
}

export async function warmFigures(): Promise<WarmFigures> {
  using folder = new EventFolder();
  const engine = await findEngine();
  const env = { ...engine.env, NODE_OPTIONS: `--require ${folder.counter}` };
  await using home = new BenchHome({ ...engine, env });
  await home.start();
  await using wire = await home.wire();
  const chat = new Chat(wire, 'local');
  for (let i = 0; i < warmUps; i += 1) await chat.exchange(`warm-up ${i}`);
  const pid = await home.pid();
  const exchanges = await exchangeAll(wire, chat);
  const events = folder.read(daemonTree(pid));
  const uncounted = daemonTree(pid).filter((one) => usesSqlite(one) && !folder.counted().has(one));
  const traced = await underStrace(pid, folder, () => exchangeAll(wire, chat));
  const processes = plainFigure(
    `processes (${engine.runtime})`,
    daemonTree(pid).length,
    uncounted.length === 0 ? '' : `NOT COUNTED, though they use SQLite: ${uncounted.join(' ')}`,
  );
  return {
    afterAck: [
      ...figuresOf(median(events, exchanges, 'ackedAt')),
      ...(traced === undefined ? [] : figuresOfStrace(traced)),
      processes,
    ],
    whole: figuresOf(median(events, exchanges, 'saidAt')).map(withoutReach),
  };
}

/** By `kind` and database, and by `kind` alone: the median of all windows. */
type Counts = (kind: string, database?: string) => number;

function median(
  events: readonly SqliteEvent[],
  exchanges: readonly Exchange[],
  begin: 'saidAt' | 'ackedAt',
): Counts {
  const perMessage = exchanges.map((exchange) =>
    events.filter(({ at }) => at >= exchange[begin] && at < exchange.settledAt),
  );
  return (kind, database) => {
    const isMeant = (event: SqliteEvent): boolean =>
      event.kind === kind && (database === undefined || event.database === database);
    return summarize(perMessage.map((some) => some.filter(isMeant).length)).median;
  };
}

const databases = ['central.db', 'inbound.db', 'outbound.db'];

function figuresOf(counts: Counts): readonly Figure[] {
  const split = (kind: string): string =>
    databases.map((name) => `${name.replace('.db', '')} ${counts(kind, name)}`).join(', ');
  return [
    atMostFigure('new Database', counts('open'), 6, split('open')),
    atMostFigure('statements compiled', counts('prepare'), 15, split('prepare')),
    atMostFigure('commits on inbound.db', counts('commit', 'inbound.db'), 3),
    plainFigure('commits on central.db', counts('commit', 'central.db')),
  ];
}

function figuresOfStrace(counts: Counts): readonly Figure[] {
  const opens = databases.map((name) => counts('open', name)).reduce((sum, one) => sum + one, 0);
  return [
    atMostFigure('openings of session files (strace)', opens, 6),
    atMostFigure('journals of inbound.db (strace)', counts('commit', 'inbound.db'), 3),
  ];
}

async function exchangeAll(wire: TerminalWire, chat: Chat): Promise<readonly Exchange[]> {
  const exchanges: Exchange[] = [];
  for (let i = 0; i < messages; i += 1) {
    const saidAt = now();
    const acked = wire.next('ack').then(now);
    await chat.exchange(`counted ${i}`);
    const ackedAt = await acked;
    await delay(settlingMs);
    exchanges.push({ saidAt, ackedAt, settledAt: now() });
  }
  return exchanges;
}

/** Milliseconds since 1970, finer than Date.now: as the counter and strace say it. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Undefined where strace is missing or may not trace. */
async function underStrace(
  pid: number,
  folder: EventFolder,
  run: () => Promise<readonly Exchange[]>,
): Promise<Counts | undefined> {
  const calls = 'trace=open,openat,unlink,unlinkat';
  const targets = daemonTree(pid).flatMap((one) => ['-p', String(one)]);
  const args = ['-f', '-qq', '-ttt', '-e', calls, '-o', folder.straceOutput, ...targets];
  const strace = spawn('strace', args, { stdio: 'ignore' });
  const ended = once(strace, 'exit').catch(() => undefined);
  const isThere = await Promise.race([ended.then(() => false), delay(1_000).then(() => true)]);
  if (!isThere) return undefined;
  try {
    const exchanges = await run();
    strace.kill('SIGINT');
    await ended;
    return median(readStrace(readFileSync(folder.straceOutput, 'utf8')), exchanges, 'ackedAt');
  } finally {
    strace.kill('SIGKILL');
  }
}

function usesSqlite(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/maps`, 'utf8').includes('better_sqlite3.node');
  } catch {
    return false;
  }
}
