/** Many messages at once. */
import { TerminalWire } from '../test/fakes/terminal-wire.js';
import type { BenchHome } from './bench-home.js';
import { openChats } from './chat.js';
import { atLeast, atMost, type Measure } from './measure.js';
import { summarize } from './statistics.js';
import type { Workbench } from './workbench.js';

interface Flood {
  /** From the first byte written to the last reply read. */
  readonly totalMs: number;
  /** Of each message, from the first byte written: when its reply was there. */
  readonly repliedAfterMs: readonly number[];
  /** Replies that are missing, came twice or at the wrong place. */
  readonly misplaced: number;
}

export const burst: Measure = {
  name: 'burst',
  title: 'burst: 1,000 messages to 10 running sessions, all replied',
  method:
    '1,000 lines in one write, the chats taking turns; until the last reply. Order and completeness are checked for each chat. Three bursts; the slowest counts. Spread: when each reply came.',
  target: '≥ 200 a second end to end, in order, none lost or doubled',
  peer: '200 messages: 2 to 55 s',
  run: async (bench) => {
    const floods = await runFloods(bench, 10, 1_000);
    const slowest = Math.max(...floods.map(({ totalMs }) => totalMs));
    return {
      spread: summarize(floods.flatMap(({ repliedAfterMs }) => repliedAfterMs)),
      goals: [atLeast('rate', 1_000 / (slowest / 1_000), 200, '/s'), misplacedIn(floods)],
    };
  },
};

export const burstOne: Measure = {
  name: 'burst-one',
  title: 'burst: 200 messages to one running session',
  method: 'As above with one chat. Three bursts; the slowest counts.',
  target: '≤ 3 s, in order',
  peer: '1,042 s',
  run: async (bench) => {
    const floods = await runFloods(bench, 1, 200);
    const slowest = Math.max(...floods.map(({ totalMs }) => totalMs));
    return {
      spread: summarize(floods.flatMap(({ repliedAfterMs }) => repliedAfterMs)),
      goals: [atMost('total', slowest, 3_000, 'ms'), misplacedIn(floods)],
    };
  },
};

function misplacedIn(floods: readonly Flood[]): ReturnType<typeof atMost> {
  const misplaced = floods.reduce((sum, flood) => sum + flood.misplaced, 0);
  return atMost('lost, doubled or out of order', misplaced, 0, '');
}

const repetitions = 3;

async function runFloods(bench: Workbench, chats: number, messages: number): Promise<Flood[]> {
  await using home = bench.home();
  await home.start();
  const platformIds = await openAndLeave(home, chats);
  const floods: Flood[] = [];
  for (let i = 0; i < repetitions; i += 1) {
    floods.push(await flood(home.socket, platformIds, messages, `burst ${i}`));
  }
  return floods;
}

/** Chats with running containers that nobody listens to. */
async function openAndLeave(home: BenchHome, count: number): Promise<readonly string[]> {
  await using wire = await home.wire();
  const chats = await openChats(wire, count);
  return chats.map(({ platformId }) => platformId);
}

async function flood(
  socket: string,
  platformIds: readonly string[],
  messages: number,
  name: string,
): Promise<Flood> {
  const repliedAt: number[] = [];
  await using wire = await TerminalWire.open(socket, ({ type }) => {
    if (type === 'reply') repliedAt.push(performance.now());
  });
  const sent = Array.from({ length: messages }, (_, index) => ({
    platformId: platformIds[index % platformIds.length] ?? '',
    text: `${name} message ${index}`,
  }));
  const lines = sent.map((message) => `${JSON.stringify({ type: 'message', ...message })}\n`);
  const beganAt = performance.now();
  wire.sendRaw(lines.join(''));
  // Three lines for each: ack, reply, done. A lost message is missed after a while without any.
  await wire.until(() => wire.lines.length >= 3 * messages, 60_000).catch(() => undefined);
  const misplaced = platformIds.reduce((sum, platformId) => {
    const expected = sent.filter((one) => one.platformId === platformId);
    const came = wire.replies(platformId);
    const wrong = expected.filter(({ text }, index) => came[index] !== `echo: ${text}`).length;
    return sum + wrong + Math.max(0, came.length - expected.length);
  }, 0);
  const repliedAfterMs = repliedAt.map((at) => at - beganAt);
  return { totalMs: Math.max(...repliedAfterMs), repliedAfterMs, misplaced };
}
