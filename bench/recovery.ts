/** Measures how long recovery takes after something died. */
import { delay } from '../shared/base/lifecycle.js';
import type { TerminalWire } from '../test/fakes/terminal-wire.js';
import type { BenchHome } from './bench-home.js';
import { openChats } from './chat.js';
import { killContainer } from './engine.js';
import { atLeast, atMost, type Measure } from './measure.js';
import { summarize } from './statistics.js';

const followUps = 12;
const kills = 8;

export const killed: Measure = {
  name: 'killed',
  title: 'container killed in a turn → answered after all, follow-ups too',
  method: `In each of ${kills} chats, a second apart: a message that takes half a second, ${followUps} more behind it, and the engine kills the container in the middle of the turn; from the kill until the last of them is answered.`,
  target: '≤ 7 s (the first backoff)',
  peer: 'median 49 s, and 12 of 12 follow-ups lost',
  run: async (bench) => {
    bench.needContainers();
    await using home = bench.home();
    await home.start();
    await using wire = await home.wire();
    const chats = await openChats(wire, kills);
    const containers = await home.containers();
    const answers: Promise<Answers>[] = [];
    for (const { platformId } of chats) {
      const containerId = containers.get(home.sessionOf(platformId)) ?? '';
      answers.push(killInTurn(home, platformId, containerId));
      await delay(1_000);
    }
    const done = await Promise.all(answers);
    const spread = summarize(done.map(({ tookMs }) => tookMs));
    const lost = done.reduce((sum, { missing }) => sum + missing, 0);
    return {
      spread,
      goals: [
        atMost('slowest', Math.max(...done.map(({ tookMs }) => tookMs)), 7_000, 'ms'),
        atMost('lost or doubled', lost, 0, ''),
      ],
    };
  },
};

interface Answers {
  readonly tookMs: number;
  readonly missing: number;
}

const patienceMs = 40_000;

async function killInTurn(
  home: BenchHome,
  platformId: string,
  containerId: string,
): Promise<Answers> {
  await using wire = await home.wire();
  const texts = ['slow', ...Array.from({ length: followUps }, (_, index) => `follow-up ${index}`)];
  wire.say('!sleep 500 slow', { platformId });
  await wire.until(() => wire.of('ack').length === 1);
  for (const text of texts.slice(1)) wire.say(text, { platformId });
  await delay(150);
  const beganAt = performance.now();
  await killContainer(containerId);
  await wire.until(() => wire.of('done').length >= texts.length, patienceMs).catch(() => undefined);
  const tookMs = performance.now() - beganAt;
  const came = [...wire.replies(platformId)].sort();
  const expected = texts.map((text) => `echo: ${text}`).sort();
  const missing = expected.filter((text) => !came.includes(text)).length;
  return { tookMs, missing: missing + Math.max(0, came.length - expected.length) };
}

const crashes = 5;
const survivors = 15;

export const crashStart: Measure = {
  name: 'crash-start',
  title: 'daemon start with 15 containers left by a crash until a message is taken',
  method: `The daemon is killed with SIGKILL while ${survivors} containers run, and started again; from the start of the process until a message’s ack is read at the socket. ${crashes} times. Afterwards the same containers must run and answer.`,
  target: '≤ 1 s, all adopted',
  peer: '18.5 s',
  run: async (bench) => {
    bench.needContainers();
    await using home = bench.home();
    await home.start();
    await openSurvivors(home);
    const before = await home.containers();
    const times: number[] = [];
    for (let i = 0; i < crashes; i += 1) {
      await home.crash();
      times.push(await timeStart(home, `chat-${i}`));
    }
    const adopted = await countAnswering(home, before);
    const spread = summarize(times);
    return {
      spread,
      goals: [
        atMost('slowest', Math.max(...times), 1_000, 'ms'),
        atLeast('adopted', adopted, survivors, ''),
      ],
    };
  },
};

async function openSurvivors(home: BenchHome): Promise<void> {
  await using wire = await home.wire();
  await openChats(wire, survivors);
}

/** From the start of the daemon's process until it has a message on disk. */
async function timeStart(home: BenchHome, platformId: string): Promise<number> {
  const { wire, beganAt } = await home.startAndConnect();
  try {
    const taken = wire.next('ack');
    wire.say('are you there', { platformId });
    const done = wire.next('done');
    await taken;
    const tookMs = performance.now() - beganAt;
    await done;
    return tookMs;
  } finally {
    await wire[Symbol.asyncDispose]();
  }
}

/** Of the containers there were, how many still run and answer. */
async function countAnswering(
  home: BenchHome,
  before: ReadonlyMap<string, string>,
): Promise<number> {
  await using wire = await home.wire();
  await askAll(wire);
  const now = await home.containers();
  return [...before].filter(([sessionId, containerId]) => now.get(sessionId) === containerId)
    .length;
}

async function askAll(wire: TerminalWire): Promise<void> {
  const ids = Array.from({ length: survivors }, (_, index) => `chat-${index}`);
  for (const platformId of ids) wire.say('still there', { platformId });
  await wire.until(() =>
    ids.every((platformId) => wire.replies(platformId).includes('echo: still there')),
  );
}

export const largeStart: Measure = {
  name: 'large-start',
  title: 'daemon start with 10,000 sessions until the first message is taken',
  method: `From the start of the process until a message’s ack is read at the socket, in a home with 10,000 used sessions. ${crashes} times after a stop in order.`,
  target: '≤ 2 s',
  run: async (bench) => {
    const home = await bench.filledHome();
    const times: number[] = [];
    for (let i = 0; i < crashes; i += 1) {
      times.push(await timeStart(home, 'local'));
      await home.stop();
    }
    const spread = summarize(times);
    return { spread, goals: [atMost('slowest', Math.max(...times), 2_000, 'ms')] };
  },
};
