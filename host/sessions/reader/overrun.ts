/** Why a reader process has not answered in time: what it reads keeps it busy, or the disk is slow. Linux only: /proc. */
import { readFile } from 'node:fs/promises';

/** The facts that /proc tells of a process at one moment. */
export interface ProcessSample {
  /** A letter: R running, S sleeping, D waiting for a disk, … Source: proc(5). */
  readonly state: string;
  /** User and system time, in milliseconds. */
  readonly cpuMs: number;
  /** The kernel function that it waits in; empty where that is not told. */
  readonly waitsIn: string;
}

/** The unit of times in /proc/<pid>/stat: a hundredth of a second on every Linux that Node runs on. */
const tickMs = 10;

/** Undefined where the process is gone, or this is no Linux. */
export async function sampleProcess(pid: number): Promise<ProcessSample | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    const waitsIn = await readFile(`/proc/${pid}/wchan`, 'latin1').catch(() => '');
    // The name, in brackets, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [userTicks, systemTicks] = [Number(fields[11]), Number(fields[12])];
    return { state: fields[0] ?? '', cpuMs: (userTicks + systemTicks) * tickMs, waitsIn };
  } catch {
    return undefined;
  }
}

/** A process that computes uses at least this share of the time between two samples. */
const busyShare = 0.3;
const diskWaits =
  /request_wait_answer|nfs|rpc|fuse|io_schedule|jbd2|wait_on_(page|buffer)|bit_wait|folio_wait/;

/** `file`: what it reads does that to it. `disk`: it waits, and so would every other. */
export function judgeOverrun(
  before: ProcessSample | undefined,
  after: ProcessSample | undefined,
  betweenMs: number,
): 'file' | 'disk' {
  if (before === undefined || after === undefined) return 'file';
  if (after.cpuMs - before.cpuMs >= betweenMs * busyShare) return 'file';
  // A lease on the file that its holder does not give back: the kernel waits for that for 45 seconds.
  if (after.waitsIn.includes('lease')) return 'file';
  return after.state === 'D' || diskWaits.test(after.waitsIn) ? 'disk' : 'file';
}
