/** One function per measure. Each uses Berth as a program at its socket does, and leaves nothing running. */
import { readFileSync } from 'node:fs';
import { BerthHome } from '../test/fakes/berth-home.js';
import type { TerminalWire } from '../test/fakes/terminal-wire.js';

export interface BenchEngine {
  readonly runtime: 'docker' | 'process';
  readonly env: Record<string, string>;
}

/** Milliseconds from a message's last byte written to its reply's line read, one message at a time. */
export async function measureWarm(engine: BenchEngine, count: number): Promise<readonly number[]> {
  await using home = new BerthHome(engine.runtime, engine.env);
  await home.start();
  await using wire = await home.wire();
  await timeOne(wire, 'local', 'first');
  const times: number[] = [];
  for (let i = 0; i < count; i += 1) times.push(await timeOne(wire, 'local', `message ${i}`));
  return times;
}

/** The same for the first message of a chat, whose container does not exist yet. */
export async function measureCold(engine: BenchEngine, count: number): Promise<readonly number[]> {
  await using home = new BerthHome(engine.runtime, engine.env);
  await home.start();
  await using wire = await home.wire();
  await timeOne(wire, 'image', 'the image is there now');
  const times: number[] = [];
  for (let i = 0; i < count; i += 1) times.push(await timeOne(wire, `chat ${i}`, 'hello'));
  return times;
}

async function timeOne(wire: TerminalWire, platformId: string, text: string): Promise<number> {
  const beganAt = performance.now();
  const done = wire.next('done');
  const replied = wire.next('reply');
  wire.say(text, { platformId });
  await replied;
  const took = performance.now() - beganAt;
  await done;
  return took;
}

export interface IdleCost {
  /** Of one core, in percent. */
  readonly cpuPercent: number;
  /** Resident set, in MiB. */
  readonly memoryMb: number;
}

/** What the daemon costs while nothing happens, over some seconds. */
export async function measureIdle(engine: BenchEngine, seconds: number): Promise<IdleCost> {
  await using home = new BerthHome(engine.runtime, engine.env);
  await home.start();
  {
    await using wire = await home.wire();
    await timeOne(wire, 'local', 'hello');
  }
  const { pid } = await home.json<{ pid: number }>('status');
  // What the start left behind is collected in the first seconds.
  await pause(15_000);
  const before = cpuTicks(pid);
  await pause(seconds * 1_000);
  const ticks = cpuTicks(pid) - before;
  return { cpuPercent: (ticks / 100 / seconds) * 100, memoryMb: residentMb(pid) };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** User and system time in clock ticks of 10 ms. Source: proc(5), /proc/pid/stat, fields 14 and 15. */
function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

function residentMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}
