/** The processes below one, as Linux shows them in /proc. Containers are no children of the daemon, so they are not among them. */
import { readdirSync, readFileSync } from 'node:fs';

/** A process and all that it or its children started and that still lives, itself first. */
export function processTree(pid: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const child = Number(name);
    const parent = Number.isInteger(child) ? statOf(child)?.parent : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), child]);
  }
  const tree = [pid];
  // The list grows while it is walked.
  for (const one of tree) tree.push(...(children.get(one) ?? []));
  return tree;
}

/** An agent that runs as a plain process: it stands for a container, and is not counted with the daemon. */
function isRunner(pid: number): boolean {
  return /\brunner(?:-[a-z0-9-]+)?\.c?js\0/.test(read(`/proc/${pid}/cmdline`) ?? '');
}

/** A daemon and its children without the agents' processes and what these started. */
export function daemonTree(pid: number): readonly number[] {
  const agents = new Set(processTree(pid).filter(isRunner).flatMap(processTree));
  return processTree(pid).filter((one) => !agents.has(one));
}

/**
 * Time on a core of a tree so far, in milliseconds, with that of children that have ended and were waited for; agents
 * are not counted while they live. Source: proc_pid_stat, fields utime, stime, cutime and cstime, in ticks of 10 ms
 * each; what lives is read from schedstat, in nanoseconds.
 */
export function treeCpuMs(pid: number): number {
  return daemonTree(pid)
    .map((one) => livingCpuMs(one) + (statOf(one)?.endedChildrenMs ?? 0))
    .reduce((sum, ms) => sum + ms, 0);
}

function livingCpuMs(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map((task) => Number(read(`/proc/${pid}/task/${task}/schedstat`)?.split(' ')[0] ?? 0) / 1e6)
      .reduce((sum, ms) => sum + ms, 0);
  } catch {
    // It ended just now; its parent has its time.
    return 0;
  }
}

interface Stat {
  readonly parent: number;
  readonly endedChildrenMs: number;
}

const msPerTick = 10;

function statOf(pid: number): Stat | undefined {
  const text = read(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The second field is the name in parentheses, which may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[13]) + Number(fields[14]);
  return { parent: Number(fields[1]), endedChildrenMs: ticks * msPerTick };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
