/** The folders and files of a session on the host, and who may write them. */
import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { chmod, lchown, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { BerthError, errnoOf } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import {
  pruneOrderPath,
  runnerConfigPath,
  type Workspace,
} from '../../shared/protocol/workspace.js';
import type { PruneOrder } from '../../shared/protocol/prune-order.js';
import type { RunnerConfig } from '../../shared/protocol/runner-config.js';
import { AgentFiles, type Handover } from './files/agent-files.js';
import type { AgentUser } from './files/file-tree.js';
import type { ReaderUser } from './reader/reader-user.js';

/**
 * Chooses the user that the runner runs as. An agent never runs as root: in its place comes the usual first user, 1000.
 */
export function agentUserFor(uid: number | undefined, gid: number | undefined): AgentUser {
  if (uid === undefined || uid === 0) return { uid: 1000, gid: 1000 };
  return { uid, gid: gid ?? uid };
}

/** The uid that agents' files belong to; undefined where the system knows no uids. */
export function agentUidFor(runtime: { readonly isolates: boolean }): number | undefined {
  const uid = process.getuid?.();
  return runtime.isolates ? agentUserFor(uid, process.getgid?.()).uid : uid;
}

export interface SessionFoldersDeps {
  readonly sessionsDir: string;
  readonly groupsDir: string;
  readonly agentUser: AgentUser;
  /** The daemon runs as root, so that what the runner writes must be given to its user. */
  readonly mustGiveAway: boolean;
  /** The user that reads what containers wrote; null: the daemon's own user. */
  readonly readerUser?: ReaderUser | null;
  /** As probeOwners found; undefined: as `mustGiveAway` says. */
  readonly handover?: Handover | undefined;
  readonly log?: Logger;
}

/** Others may pass through a folder, and see nothing of it: what reads outbound.db for the daemon has a user of its own. */
const passable = 0o711;

export class SessionFolders {
  readonly #deps: SessionFoldersDeps;
  readonly #files: AgentFiles;

  constructor(deps: SessionFoldersDeps) {
    this.#deps = deps;
    this.#files = new AgentFiles({ ...deps, handover: handoverOf(deps) });
  }

  folderOf(sessionId: string): string {
    return join(this.#deps.sessionsDir, sessionId);
  }

  inDir(sessionId: string): string {
    return join(this.folderOf(sessionId), 'in');
  }

  outDir(sessionId: string): string {
    return join(this.folderOf(sessionId), 'out');
  }

  /** Where outbound.db has another name; no container reaches it. See outbound-view. */
  viewDir(sessionId: string): string {
    return join(this.folderOf(sessionId), 'view');
  }

  /** Where the host works on copies of a session's files; no container reaches it. */
  repairDir(sessionId: string): string {
    return join(this.folderOf(sessionId), 'repair');
  }

  /** Where files that were damaged are kept. */
  damagedDir(sessionId: string): string {
    return join(this.folderOf(sessionId), 'damaged');
  }

  /** The four folders of a session; the agent's one is shared by all sessions of its group. */
  workspaceOf(sessionId: string, agentFolder: string): Workspace {
    return {
      inDir: this.inDir(sessionId),
      outDir: this.outDir(sessionId),
      agentDir: join(this.#deps.groupsDir, parseFolderName(agentFolder)),
      homeDir: join(this.folderOf(sessionId), 'home'),
    };
  }

  /** Makes what the host itself writes to. */
  ensureInbound(sessionId: string): void {
    mkdirSync(this.folderOf(sessionId), { recursive: true, mode: passable });
    mkdirSync(this.inDir(sessionId), { recursive: true, mode: 0o755 });
  }

  /**
   * Makes what the runner writes to, and puts its settings into in/runner.json. Owners and modes are put right where they do
   * not fit, as after a restore. Throws spec_refused when the agent's folder is a link or leaves groups/, and when the agent
   * could not write what it must.
   */
  async ensureWorkspace(
    sessionId: string,
    agentFolder: string,
    config: RunnerConfig,
  ): Promise<Workspace> {
    const workspace = this.workspaceOf(sessionId, agentFolder);
    const { inDir, outDir, homeDir, agentDir } = workspace;
    const [folder, viewDir] = [this.folderOf(sessionId), this.viewDir(sessionId)];
    await mkdir(folder, { recursive: true, mode: passable });
    for (const dir of [outDir, agentDir]) await makeFolder(dir, 0o755);
    await makeFolder(homeDir, 0o700);
    // Before anything is given away: what lies behind a link is not the agent's.
    const realAgentDir = assertInside(agentDir, this.#deps.groupsDir);
    await Promise.all([
      ...[this.#deps.sessionsDir, folder, viewDir].map(letPass),
      this.#files.show(inDir),
      this.#files.handOverOut(outDir, viewDir),
      this.#files.handOverHome(homeDir),
      this.#files.handOverGroup(realAgentDir),
    ]);
    await writeForAgent(runnerConfigPath(inDir), `${JSON.stringify(config, null, 2)}\n`);
    return workspace;
  }

  /** Tells the runner what it may take away. No effect where the session was never written to. */
  async writePruneOrder(sessionId: string, order: PruneOrder): Promise<void> {
    const inDir = this.inDir(sessionId);
    if (!existsSync(inDir)) return;
    await writeForAgent(pruneOrderPath(inDir), `${JSON.stringify(order)}\n`);
  }

  /** Makes what outbound.db lies in. */
  async ensureOutbound(sessionId: string): Promise<void> {
    const outDir = this.outDir(sessionId);
    await makeFolder(outDir, 0o755);
    await this.#files.handOverFolder(outDir);
  }

  /** A file that the host has made, and the runner is to write. */
  async giveToAgent(path: string): Promise<void> {
    await this.#files.handOverFile(path);
  }

  /** A place in a session's repair folder where the reader is to work, or a file there. */
  async giveToReader(sessionId: string, path: string): Promise<void> {
    const { readerUser } = this.#deps;
    if (readerUser === null || readerUser === undefined) return;
    await chmod(this.repairDir(sessionId), 0o711);
    await lchown(path, readerUser.uid, readerUser.gid);
  }

  /** The path of something in a session's folder, below the reader's working folder. */
  placeForReader(sessionId: string, path: string): string {
    return join(sessionId, relative(this.folderOf(sessionId), path));
  }

  /** Takes away a session's folder with all that lies in it. Nothing may run in it. */
  async remove(sessionId: string): Promise<void> {
    await rm(this.folderOf(sessionId), { recursive: true, force: true });
  }
}

function handoverOf({ mustGiveAway, handover }: SessionFoldersDeps): Handover {
  return handover ?? (mustGiveAway ? 'give' : 'own');
}

async function makeFolder(path: string, mode: number): Promise<void> {
  await mkdir(path, { recursive: true, mode });
}

/** Whole at every moment, and readable whatever the umask is. */
async function writeForAgent(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o644 });
  await chmod(`${path}.new`, 0o644);
  await rename(`${path}.new`, path);
}

/** No effect where it is not there, or somebody else's. */
async function letPass(dir: string): Promise<void> {
  try {
    const { mode } = await stat(dir);
    if ((mode & 0o011) !== 0o011) await chmod(dir, (mode & 0o7777) | 0o011);
  } catch (error) {
    if (!['ENOENT', 'EPERM', 'EACCES', 'EROFS'].includes(errnoOf(error) ?? '')) throw error;
  }
}

const folderName = /^[a-z0-9][a-z0-9._-]{0,62}$/i;

/** A plain name below groups/: no separators, no `..`. Throws invalid_input. */
export function parseFolderName(name: string): string {
  if (folderName.test(name) && !name.includes('..')) return name;
  throw new BerthError('invalid_input', `${JSON.stringify(name)} cannot be a folder name.`, {
    next: 'Use 1 to 63 letters, digits, dots, dashes or underscores, beginning with a letter or digit.',
  });
}

/** Returns where it really is. */
function assertInside(path: string, parent: string): string {
  const real = realpathSync(path);
  if (real.startsWith(realpathSync(parent) + sep)) return real;
  throw new BerthError('spec_refused', `${path} leads out of ${parent}.`, {
    next: 'Put a real folder in the place of the link.',
  });
}
