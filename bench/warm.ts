/** Measures one message at a time: to a running container, to none, and to one that waits. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { delay } from '../shared/base/lifecycle.js';
import type { BenchHome } from './bench-home.js';
import { Chat } from './chat.js';
import { atMost, type Measure, type Result } from './measure.js';
import { NotMeasurable } from './not-measurable.js';
import { summarize } from './statistics.js';
import { timeInTurns, usingDaemons } from './side-by-side.js';
import type { Workbench } from './workbench.js';

export const warm: Measure = {
  name: 'warm',
  title: 'warm message → reply, one session at a time',
  method:
    '400 messages to one running container, each when the one before it is answered and done with; from the last byte written to the terminal’s socket to the reply’s line read. Then 400 more, each in the moment of the reply to the last.',
  target: 'median ≤ 15 ms, p99 ≤ 60 ms',
  peer: 'median 759 ms, p95 1,323 ms',
  run: async (bench) => {
    await using home = bench.home();
    await home.start();
    await using wire = await home.wire();
    const chat = new Chat(wire, 'local');
    await chat.warmUp();
    const times: number[] = [];
    for (let i = 0; i < 400; i += 1) times.push(await chat.exchange(`message ${i}`));
    const atOnce: number[] = [];
    for (let i = 0; i < 400; i += 1) atOnce.push(await chat.ask(`at once ${i}`));
    const spread = summarize(times);
    const hurried = summarize(atOnce);
    return {
      spread,
      goals: [atMost('median', spread.median, 15, 'ms'), atMost('p99', spread.p99, 60, 'ms')],
      remarks: [
        `in the moment of the last reply: median ${hurried.median.toFixed(1)} ms, p99 ${hurried.p99.toFixed(1)} ms`,
      ],
    };
  },
};

export const filled: Measure = {
  name: 'crowd',
  title: 'the same with 10,000 idle session folders present',
  method:
    'Two daemons side by side, one with 10,000 used sessions (rows, folders, both databases), in turns of 20 messages, so that what disturbs the machine disturbs both; compared are the medians. The longest event-loop block is the daemon’s own word (`berth status --json`) since it was ready.',
  target: 'no more than 10 % worse; no event-loop block over 20 ms',
  peer: 'p95 5.9 s with 5,000; blocked for 6 s and 4 s every minute',
  run: measureFilled,
};

const controlResolutionMs = 10;

async function measureFilled(bench: Workbench): Promise<Result> {
  const filled = await bench.filledHome();
  await using empty = bench.home();
  return await usingDaemons([empty, filled], async (sides) => {
    // A hold-up of the machine itself shows in any process.
    const control = monitorEventLoopDelay({ resolution: controlResolutionMs });
    control.enable();
    const [alone = [], among = []] = await timeInTurns(sides, 15, 20);
    control.disable();
    const controlMs = control.max / 1e6 - controlResolutionMs;
    const spread = summarize(among);
    const baseline = summarize(alone);
    const worseBy = (spread.median / baseline.median - 1) * 100;
    // The daemon checks every second.
    await delay(2_000);
    const { loopDelay } = await filled.status();
    return {
      spread,
      goals: [
        atMost('median worse by', worseBy, 10, '%'),
        atMost('longest block', loopDelay?.longestMs ?? Number.NaN, 20, 'ms'),
      ],
      remarks: [
        `the benchmark’s own event loop was held for ${controlMs.toFixed(0)} ms at the most meanwhile`,
        `alone at the same time: median ${baseline.median.toFixed(1)} ms, p95 ${baseline.p95.toFixed(1)} ms`,
      ],
    };
  });
}

export const cold: Measure = {
  name: 'cold',
  title: 'cold start → reply',
  method: 'The first message of each of 20 chats, one after the other; the image is there.',
  target: 'median ≤ 600 ms, p95 ≤ 900 ms',
  peer: 'median 1,432 ms',
  run: async (bench) => {
    await using home = bench.home();
    await home.start();
    await using wire = await home.wire();
    await new Chat(wire, 'image').exchange('the image is there now');
    const times: number[] = [];
    for (let i = 0; i < 20; i += 1) times.push(await new Chat(wire, `chat-${i}`).exchange('hello'));
    const spread = summarize(times);
    return {
      spread,
      goals: [atMost('median', spread.median, 600, 'ms'), atMost('p95', spread.p95, 900, 'ms')],
    };
  },
};

export const prewarmedSession: Measure = {
  name: 'warm-session',
  title: 'first message of a new conversation with a warm session',
  method:
    'An agent group with `warmSessions: 2`; the first message of each of 20 chats, each when a warm session runs again.',
  target: 'median ≤ 60 ms',
  run: async (bench) => {
    await using home = bench.home();
    await home.start();
    await home.json('agent-groups', 'update', 'main', '--container-config', '{"warmSessions":2}');
    await using wire = await home.wire();
    const times: number[] = [];
    for (let i = 0; i < 20; i += 1) {
      await untilPrewarmed(home, 2);
      times.push(await new Chat(wire, `chat-${i}`).exchange('hello'));
    }
    const spread = summarize(times);
    return { spread, goals: [atMost('median', spread.median, 60, 'ms')] };
  },
};

/** Long for two containers to be started. */
const prewarmingMs = 15_000;

async function untilPrewarmed(home: BenchHome, count: number): Promise<void> {
  const givesUpAt = performance.now() + prewarmingMs;
  for (;;) {
    const running = home.central((db) =>
      db
        .prepare(
          `SELECT count(*) FROM sessions WHERE status = 'warm' AND container_status = 'running'`,
        )
        .pluck()
        .get(),
    );
    if (Number(running) >= count) break;
    if (performance.now() > givesUpAt) throw new NotMeasurable('no session became warm');
    await delay(20);
  }
  // The runner inside begins a moment after its container, and nobody writes at the first instant.
  await delay(1_000);
}
