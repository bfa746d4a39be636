import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { errnoOf, toBerthError } from '../../../../shared/base/errors.js';

/**
 * Tells when a process began, in a form that is the same at every read and differs from that of another process under
 * the same pid later. Undefined when no such process runs; one that waits to be reaped does not run.
 */
export async function findProcessStart(pid: number): Promise<string | undefined> {
  return process.platform === 'linux' ? await findInProc(pid) : await findWithPs(pid);
}

async function findInProc(pid: number): Promise<string | undefined> {
  const fields = await readStat(pid);
  return fields === undefined || isDead(fields[0]) ? undefined : fields[19];
}

/**
 * /proc/<pid>/stat: the name in brackets may hold anything; after it come the state (3), the parent (4), the group (5), the
 * session (6) and the start in ticks (22). Throws resources_short: then nobody can say.
 */
async function readStat(pid: number): Promise<readonly string[] | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch (error) {
    const failure = toBerthError(error);
    if (failure.code === 'resources_short') throw failure;
    return undefined;
  }
}

/** Deeper than any process tree that Berth starts. */
const maxDepth = 64;

/** Whether a process is `leader`, was started by it, or belongs to its group or session. Linux only. */
export async function isOfGroup(pid: number, leader: number): Promise<boolean> {
  let current = pid;
  for (let depth = 0; depth < maxDepth && current > 1; depth += 1) {
    const [, parent, group, session] = (await readStat(current)) ?? [];
    if ([String(current), group, session].includes(String(leader))) return true;
    current = Number(parent ?? 0);
  }
  return false;
}

async function findWithPs(pid: number): Promise<string | undefined> {
  const { stdout, failed } = await execa('/bin/ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
    env: { LC_ALL: 'C' },
    timeout: 5_000,
    reject: false,
  });
  const line = failed ? '' : stdout.trim();
  const space = line.indexOf(' ');
  return space < 0 || isDead(line) ? undefined : line.slice(space).trim();
}

function isDead(state: string | undefined): boolean {
  return state === undefined || /^[ZX]/.test(state);
}

/** Sends a signal to a process group; false when none is left that takes it (macOS: EPERM when all are dead). */
export function signalGroup(groupId: number, signal: 'SIGTERM' | 'SIGKILL'): boolean {
  try {
    return process.kill(-groupId, signal);
  } catch (error) {
    if (['ESRCH', 'EPERM'].includes(errnoOf(error) ?? '')) return false;
    throw error;
  }
}
