/** Measures what Berth costs while nothing happens. */
import { delay } from '../shared/base/lifecycle.js';
import type { BenchHome } from './bench-home.js';
import { openChats } from './chat.js';
import { readCost, type ContainerCost } from './engine.js';
import { atMost, type Measure, type Result } from './measure.js';
import { cpuMsOf, memoryMbOf } from './process-cost.js';
import { summarize } from './statistics.js';

const containers = 15;
/** The garbage of the start is collected in the first half minute. */
const settlingMs = 30_000;
const watchedMs = 60_000;

export const idle: Measure = {
  name: 'idle',
  title: 'idle daemon with 15 idle containers, 10,000 sessions',
  method: `After ${settlingMs / 1_000} s of rest, over ${watchedMs / 1_000} s: the daemon’s time on a core and resident set from /proc; the containers’ from the engine’s statistics (memory as \`docker stats\` shows it); of the containers the largest counts.`,
  target: '≤ 0.5 % of a core, ≤ 150 MB; an idle container ≤ 0.1 % of a core, ≤ 40 MB',
  peer: '2 % of a core; a container 0.6 to 1 %',
  run: async (bench) => {
    bench.needContainers();
    const home = await bench.filledHome();
    await home.start();
    try {
      {
        await using wire = await home.wire();
        await openChats(wire, containers);
      }
      await delay(settlingMs);
      return await watch(home);
    } finally {
      await home.stop();
    }
  },
};

async function watch(home: BenchHome): Promise<Result> {
  const pid = await home.pid();
  const ids = [...(await home.containers()).values()];
  const costs = (): Promise<readonly ContainerCost[]> => Promise.all(ids.map(readCost));
  const before = await costs();
  const cpuBefore = cpuMsOf(pid);
  const beganAt = performance.now();
  await delay(watchedMs);
  const tookMs = performance.now() - beganAt;
  const daemonPercent = ((cpuMsOf(pid) - cpuBefore) / tookMs) * 100;
  const after = await costs();
  const percents = after.map(
    ({ cpuMs }, index) => ((cpuMs - (before[index]?.cpuMs ?? 0)) / tookMs) * 100,
  );
  const memories = after.map(({ memoryMb }) => memoryMb);
  return {
    goals: [
      atMost('daemon', daemonPercent, 0.5, '%'),
      atMost('daemon', memoryMbOf(pid), 150, 'MB'),
      atMost('container', Math.max(...percents), 0.1, '%'),
      atMost('container', Math.max(...memories), 40, 'MB'),
    ],
    remarks: [
      `the median container: ${summarize(percents).median.toFixed(3)} %, ${summarize(memories).median.toFixed(0)} MB`,
    ],
  };
}
