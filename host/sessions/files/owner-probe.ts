/**
 * Finds out once, at the daemon's start, how agents come to files of their own: a root in a user namespace or on a network file
 * system with squashed root may not give files away, and a plain user cannot use what root has left in the home.
 */
import { constants } from 'node:fs';
import { access, chmod, chown, lstat, mkdir, opendir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError, errnoOf, toBerthError } from '../../../shared/base/errors.js';
import { closeToOthers } from '../../../shared/base/private-file.js';
import type { Handover } from './agent-files.js';
import type { AgentUser } from './file-tree.js';

export interface OwnerProbeDeps {
  readonly dataDir: string;
  readonly sessionsDir: string;
  readonly groupsDir: string;
  readonly agentUser: AgentUser;
  /** The daemon's own; undefined where there are no users. */
  readonly uid: number | undefined;
  /** Agents run as `agentUser`, and not as the daemon's own user. */
  readonly isolates: boolean;
  /** As node:fs/promises has them. */
  readonly system?: { readonly chown: typeof chown; readonly chmod: typeof chmod };
}

export interface Ownership {
  readonly handover: Handover;
  /** A sentence that a person should know, with what to do; null where all is as it should be. */
  readonly remark: string | null;
}

const probeName = '.owner-probe';
const maxEntries = 10_000;

/**
 * Throws config_invalid where the file system keeps neither owners nor modes, so that no agent could write; io_failed, or
 * disk_full, where nothing can be made there at all.
 */
export async function probeOwners(deps: OwnerProbeDeps): Promise<Ownership> {
  if (deps.uid !== 0) return { handover: 'own', remark: await describeForeign(deps) };
  if (!deps.isolates) return { handover: 'own', remark: null };
  const refused: string[] = [];
  for (const dir of [deps.sessionsDir, deps.groupsDir]) {
    const outcome = await probe(dir, deps);
    if (outcome === 'stuck') throw stuck(dir, deps.agentUser);
    if (outcome !== 'given') refused.push(dir);
  }
  if (refused.length === 0) return { handover: 'give', remark: null };
  // Their modes let everybody write: the folders above keep others out.
  for (const dir of [deps.dataDir, deps.groupsDir]) closeToOthers(dir);
  return { handover: 'open', remark: describeRefusal(refused, deps.agentUser) };
}

/** `opened`: owners stay, modes can be set. `stuck`: neither. */
async function probe(
  dir: string,
  { agentUser: { uid, gid }, system = { chown, chmod } }: OwnerProbeDeps,
): Promise<'given' | 'opened' | 'stuck'> {
  const folder = join(dir, probeName);
  const file = join(folder, 'file');
  try {
    await mkdir(dir, { recursive: true, mode: 0o711 });
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { mode: 0o700 });
    await writeFile(file, '', { mode: 0o600 });
    // Some file systems refuse, some take it without an effect.
    await system.chown(file, uid, gid).catch(ignoreErrno);
    if ((await lstat(file)).uid === uid) return 'given';
    await system.chmod(file, 0o666).catch(ignoreErrno);
    return ((await lstat(file)).mode & 0o777) === 0o666 ? 'opened' : 'stuck';
  } catch (error) {
    throw toBerthError(error);
  } finally {
    await rm(folder, { recursive: true, force: true }).catch(ignoreErrno);
  }
}

function ignoreErrno(error: unknown): void {
  if (errnoOf(error) === undefined) throw error;
}

function stuck(dir: string, { uid }: AgentUser): BerthError {
  return new BerthError(
    'config_invalid',
    `Agents (user ${uid}) could not write below ${dir}: its file system keeps neither owners nor modes.`,
    {
      next: `Mount it with uid=${uid}, put BERTH_HOME on another file system, or run Berth as a plain user.`,
    },
  );
}

function describeRefusal(dirs: readonly string[], { uid }: AgentUser): string {
  return (
    `Root may not give files to the agents' user ${uid} below ${dirs.join(' and ')} (a user namespace, or a network file ` +
    'system): they are kept writable for all users instead, in folders that are closed to others.'
  );
}

/** Files that belong to others and may not be written are named before a conversation meets them. */
async function describeForeign(deps: OwnerProbeDeps): Promise<string | null> {
  const { uid, agentUser } = deps;
  if (uid === undefined) return null;
  const foreign: string[] = [];
  for (const dir of [deps.dataDir, deps.sessionsDir, deps.groupsDir]) {
    foreign.push(...(await listForeign(dir, uid)));
  }
  const [first] = foreign;
  if (first === undefined) return null;
  const count = foreign.length === 1 ? first : `${first} and ${foreign.length - 1} more`;
  return (
    `Berth runs as user ${uid} and may not write ${count}: another user owns them. ` +
    `As root: chown -R ${uid}:${agentUser.gid} ${deps.dataDir} ${deps.groupsDir}`
  );
}

async function listForeign(dir: string, uid: number): Promise<readonly string[]> {
  const found: string[] = [];
  try {
    let count = 0;
    for await (const { name } of await opendir(dir)) {
      count += 1;
      if (count > maxEntries) break;
      const path = join(dir, name);
      if (await isForeign(path, uid)) found.push(path);
    }
  } catch (error) {
    ignoreErrno(error);
  }
  return found;
}

async function isForeign(path: string, uid: number): Promise<boolean> {
  try {
    if ((await lstat(path)).uid === uid) return false;
    await access(path, constants.W_OK);
    return false;
  } catch (error) {
    return errnoOf(error) !== 'ENOENT';
  }
}
