/**
 * Sees to it that an agent can read what the host has made for it, and can write what is its own. A start checks the known
 * names and a bounded number of entries beside them; only where something does not fit there, as after a restore by root, is the
 * whole folder gone through.
 */
import { constants, type Stats } from 'node:fs';
import { access, chmod, chown, copyFile, lstat, mkdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { BerthError, errnoOf, toBerthError } from '../../../shared/base/errors.js';
import { silentLogger, type Logger } from '../../../shared/base/logger.js';
import {
  heartbeatPath,
  outboundDbName,
  outboundDbPath,
  outboxRoot,
} from '../../../shared/protocol/workspace.js';
import {
  fitTree,
  type AgentUser,
  type Need,
  type TreeLimits,
  type TreeReport,
  type Unfit,
} from './file-tree.js';

/**
 * How an agent comes to the files that it may write. `own`: it runs as the daemon's own user. `give`: the daemon is root, and
 * gives them to the agent's user. `open`: it is root and may not give files away; their modes let everybody write, and the
 * folders above them keep others out.
 */
export type Handover = 'own' | 'give' | 'open';

export interface AgentFilesDeps {
  readonly agentUser: AgentUser;
  readonly handover: Handover;
  readonly log?: Logger | undefined;
}

const glance: TreeLimits = { depth: 1, entries: 100 };
const whole: TreeLimits = { depth: 40, entries: 200_000 };
/** Once in a daemon's life for each agent's folder. */
const groupCheck: TreeLimits = { depth: 40, entries: 5_000 };

export class AgentFiles {
  readonly #deps: AgentFilesDeps;
  readonly #log: Logger;
  /** Folders of agents that were gone through by this daemon, and paths that were told. */
  readonly #checkedGroups = new Set<string>();
  readonly #told = new Set<string>();

  constructor(deps: AgentFilesDeps) {
    this.#deps = deps;
    this.#log = deps.log ?? silentLogger;
  }

  /** in/: the host's own, readable for the agent. */
  async show(inDir: string): Promise<void> {
    const need = { folderMode: 0o755, fileMode: 0o644 };
    this.#tell((await this.#fit(inDir, need, () => true)).unfit);
  }

  /** out/. Throws spec_refused, naming the file, where the agent could not write one of the protocol's own. */
  async handOverOut(outDir: string, viewDir: string): Promise<void> {
    const path = outboundDbPath(outDir);
    const view = await lstat(join(viewDir, outboundDbName)).catch(() => undefined);
    const isOurLink = (stat: Stats): boolean =>
      stat.nlink === 2 && stat.ino === view?.ino && stat.dev === view.dev;
    const need = this.#need({ folderMode: 0o755, fileMode: 0o644 });
    let { unfit } = await this.#fit(outDir, need, isOurLink);
    if (unfit.some((one) => one.path === path && one.errno === 'EMLINK')) {
      await replaceByCopy(path, viewDir);
      ({ unfit } = await this.#fit(outDir, need, isOurLink));
    }
    const known = [outDir, path, `${path}-journal`, heartbeatPath(outDir), outboxRoot(outDir)];
    for (const one of unfit) if (known.includes(one.path)) throw this.#refused(one);
    this.#tell(unfit);
    for (const name of [outDir, path]) await this.#assertWritable(name);
  }

  /** home/ of a session. Throws spec_refused where the folder itself cannot be handed over. */
  async handOverHome(homeDir: string): Promise<void> {
    const { unfit } = await this.#fit(homeDir, this.#need({ folderMode: 0, fileMode: 0 }));
    this.#assertRoot(homeDir, unfit);
    await this.#assertWritable(homeDir);
  }

  /**
   * Hands over the folder of an agent group: files that root has put there. Files that another user has put there stay
   * theirs. Folders deep in it are gone through once, beside the start. Throws spec_refused where the folder itself
   * cannot be handed over.
   */
  async handOverGroup(agentDir: string): Promise<void> {
    const { handover, agentUser } = this.#deps;
    const modes = this.#need({ folderMode: 0, fileMode: 0 });
    const ofRoot = { user: agentUser, from: (uid: number): boolean => uid === 0 };
    const need = handover === 'give' ? { ...modes, owner: ofRoot } : modes;
    if (handover === 'give') await this.#giveFolder(agentDir);
    const { unfit } = await this.#fit(agentDir, need);
    this.#assertRoot(agentDir, unfit);
    await this.#assertWritable(agentDir);
    if (handover === 'own' || this.#checkedGroups.has(agentDir)) return;
    this.#checkedGroups.add(agentDir);
    void this.#checkGroup(agentDir, need);
  }

  /** A file that the host has made where no agent reaches it, and the agent is to write. */
  async handOverFile(path: string): Promise<void> {
    const { handover, agentUser } = this.#deps;
    await chmod(path, handover === 'open' ? 0o666 : 0o644);
    if (handover === 'give') await chown(path, agentUser.uid, agentUser.gid);
  }

  /** A folder that the host has made, itself. */
  async handOverFolder(path: string): Promise<void> {
    const need = this.#need({ folderMode: 0o755, fileMode: 0 });
    const { unfit } = await fitTree(path, need, { depth: 0, entries: 0 });
    this.#assertRoot(path, unfit);
  }

  /** `modes`: what is needed where the owner is right. */
  #need(modes: Pick<Need, 'folderMode' | 'fileMode'>): Need {
    const { agentUser: user, handover } = this.#deps;
    switch (handover) {
      case 'own':
        return modes;
      case 'give':
        return { ...modes, owner: { user, from: (uid) => uid !== user.uid } };
      case 'open':
        return { folderMode: 0o777, fileMode: 0o666, exceptOf: user.uid };
    }
  }

  async #giveFolder(path: string): Promise<void> {
    const { uid: agentUid } = this.#deps.agentUser;
    const owner = { user: this.#deps.agentUser, from: (uid: number): boolean => uid !== agentUid };
    const need = { owner, folderMode: 0, fileMode: 0 };
    const { unfit } = await fitTree(path, need, { depth: 0, entries: 0 });
    this.#assertRoot(path, unfit);
  }

  async #fit(
    root: string,
    need: Need,
    mayBeLinked?: (stat: Stats) => boolean,
  ): Promise<TreeReport> {
    try {
      const first = await fitTree(root, need, glance, mayBeLinked);
      if (first.changed === 0) return first;
      const report = await fitTree(root, need, whole, mayBeLinked);
      this.#report(root, report);
      return report;
    } catch (error) {
      if (errnoOf(error) !== 'ENOTDIR') throw error;
      throw new BerthError('spec_refused', `${root} is not a folder.`, {
        next: 'Put a real folder in its place.',
        cause: error,
      });
    }
  }

  async #checkGroup(agentDir: string, need: Need): Promise<void> {
    try {
      const report = await fitTree(agentDir, need, groupCheck);
      this.#report(agentDir, report);
      this.#tell(report.unfit);
    } catch (err) {
      this.#log.warn({ err, path: agentDir }, 'files of an agent not checked');
    }
  }

  #report(path: string, { changed: count, isCut }: TreeReport): void {
    if (count > 0) this.#log.info({ path, count }, 'files handed over to the agent');
    if (isCut) this.#log.warn({ path }, 'too many files to check all of them');
  }

  #tell(unfit: readonly Unfit[]): void {
    for (const { path, uid, errno } of unfit) {
      if (this.#told.has(path)) continue;
      this.#told.add(path);
      this.#log.warn({ path, uid, errno }, 'file not handed over to the agent');
    }
  }

  /** Of what lies in a folder of the agent's own, some may stay as it is: an administrator has protected it. */
  #assertRoot(root: string, unfit: readonly Unfit[]): void {
    for (const one of unfit) if (one.path === root) throw this.#refused(one);
    this.#tell(unfit);
  }

  async #assertWritable(path: string): Promise<void> {
    try {
      await access(path, constants.W_OK);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'ENOENT') return;
      if (errno === undefined) throw error;
      const { uid } = await lstat(path);
      throw this.#refused({ path, uid, errno });
    }
  }

  #refused({ path, uid, errno }: Unfit): BerthError {
    const { agentUser, handover } = this.#deps;
    const whose = uid < 0 ? '' : ` It belongs to user ${uid}.`;
    const who = handover === 'own' ? 'The agent' : `The agent (user ${agentUser.uid})`;
    const message = `${who} cannot write ${path} (${errno}).${whose}`;
    return new BerthError('spec_refused', message, { next: adviceFor(errno, handover, agentUser) });
  }
}

function adviceFor(errno: string, handover: Handover, { uid, gid }: AgentUser): string {
  if (errno === 'EROFS') return 'Its file system is mounted read-only: mount it for writing.';
  const immutable = 'It may be immutable (see lsattr), or its file system keeps no owners.';
  if (handover !== 'own') return immutable;
  const give = `As root: chown -R ${uid}:${gid} data groups`;
  return errno === 'EPERM' ? `${give} – unless it is immutable (see lsattr).` : give;
}

/** A backup shares the file by another name: it must not change with ours. */
async function replaceByCopy(path: string, workDir: string): Promise<void> {
  const draft = join(workDir, `${basename(path)}.copy`);
  try {
    await mkdir(workDir, { recursive: true, mode: 0o711 });
    await rm(draft, { force: true });
    await copyFile(path, draft, constants.COPYFILE_EXCL);
    await rename(draft, path);
  } catch (error) {
    throw toBerthError(error);
  }
}
