/**
 * Puts a fresh file in the place of a damaged one, in the same steps for both files of a session. The file is copied; a
 * reader process makes a draft of what it can read of the copy; the draft is copied out of that process's reach, completed,
 * and named ready; the damaged file is kept; the ready one takes its place. A daemon that is killed before `ready` begins
 * anew, and one that is killed after it goes on from there.
 */
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isoAt } from '../../../shared/base/clock.js';
import { hasCode } from '../../../shared/base/errors.js';
import { inboundDbPath, outboundDbPath } from '../../../shared/protocol/workspace.js';
import type { MailboxFile } from '../../store/repairs.js';
import type { Salvage } from './rebuild/fresh-file.js';
import { maxDbBytes } from './rebuild/outbound-rebuild.js';
import type { RepairDeps } from './repair-deps.js';
import { copyOrdinary, findStat, install, keepDamaged } from './repair-files.js';

/** The two files differ in this. `companions`: in a log beside the host's own file a person's last changes may stand. */
const rules = {
  'inbound.db': {
    side: 'in',
    call: 'rebuildInbound',
    migrations: 'inboundMigrations',
    companions: ['-journal', '-wal'],
  },
  'outbound.db': {
    side: 'out',
    call: 'rebuildOutbound',
    migrations: 'outboundMigrations',
    companions: ['-journal'],
  },
} as const;

/** A rollback goes through all of the journal. */
const maxCompanionBytes = 64 * 1024 ** 2;

export class FileSwap {
  readonly #deps: RepairDeps;
  readonly #sessionId: string;
  readonly #file: MailboxFile;
  /** The reader's, for as long as it works there. */
  readonly #workDir: string;
  /** Complete, and out of the reader's reach. */
  readonly #ready: string;

  constructor(deps: RepairDeps, sessionId: string, file: MailboxFile) {
    const repairDir = deps.folders.repairDir(sessionId);
    this.#deps = deps;
    this.#sessionId = sessionId;
    this.#file = file;
    this.#workDir = join(repairDir, rules[file].side);
    this.#ready = join(repairDir, `${file.replace('.db', '')}-ready.db`);
  }

  /** The fresh file as long as it may be changed. */
  get draft(): string {
    return `${this.#ready}.new`;
  }

  /** Whether a killed writer may have left a journal behind. That takes one call of the operating system. */
  hasJournal(): boolean {
    const stat = findStat(`${this.#path}-journal`);
    return stat !== undefined && (!stat.isFile() || stat.size > 0);
  }

  /** A crash came between keeping the damaged file and putting the fresh one in its place. */
  async finishEarlier(): Promise<void> {
    if (findStat(this.#ready) !== undefined && findStat(this.#path) === undefined) {
      await this.#putInPlace();
    }
  }

  /** Throws what says nothing about the file, and may be gone the next time. */
  async makeDraft(): Promise<Salvage> {
    await this.#clear();
    const isCopied = await this.#copyAll();
    try {
      return await this.#rebuild(isCopied);
    } catch (error) {
      const mayPass = hasCode(error, 'disk_full', 'resources_short', 'io_failed', 'internal');
      if (mayPass || !isCopied) throw error;
      // It cannot be read within its time: the fresh file is made without it.
      await this.#clear();
      return await this.#rebuild(false);
    }
  }

  /** Puts the draft in the file's place. Returns where the file is kept that was replaced, if there was one. */
  async install({ isRolledBack }: Salvage): Promise<string | undefined> {
    const { folders, clock } = this.#deps;
    await rename(this.draft, this.#ready);
    const keptDir = folders.damagedDir(this.#sessionId);
    const keptAs = isRolledBack
      ? undefined
      : await keepDamaged(this.#path, keptDir, isoAt(clock.now()));
    await this.#putInPlace();
    // Only now: a crash in between rolls back the same once more.
    await rm(`${this.#path}-journal`, { force: true });
    return keptAs;
  }

  /** Where the session's file is. */
  get #path(): string {
    const { folders } = this.#deps;
    return this.#file === 'inbound.db'
      ? inboundDbPath(folders.inDir(this.#sessionId))
      : outboundDbPath(folders.outDir(this.#sessionId));
  }

  async #putInPlace(): Promise<void> {
    const { folders } = this.#deps;
    if (this.#file === 'inbound.db') {
      folders.ensureInbound(this.#sessionId);
    } else {
      await folders.ensureOutbound(this.#sessionId);
      await folders.giveToAgent(this.#ready);
    }
    await install(this.#ready, this.#path);
  }

  /** Takes away what an earlier repair has left, and gives the reader an empty folder. */
  async #clear(): Promise<void> {
    for (const path of [this.#workDir, this.#ready, this.draft, `${this.draft}-journal`]) {
      await rm(path, { recursive: true, force: true });
    }
    await mkdir(this.#workDir, { recursive: true, mode: 0o700 });
    await this.#deps.folders.giveToReader(this.#sessionId, this.#workDir);
  }

  /** False where nothing is worth reading. */
  async #copyAll(): Promise<boolean> {
    const { companions } = rules[this.#file];
    if (!(await this.#copy('', maxDbBytes))) return false;
    for (const suffix of companions) await this.#copy(suffix, maxCompanionBytes);
    return true;
  }

  async #copy(suffix: string, maxBytes: number): Promise<boolean> {
    const copy = join(this.#workDir, `copy.db${suffix}`);
    const isCopied = await copyOrdinary(`${this.#path}${suffix}`, copy, maxBytes);
    if (isCopied) await this.#deps.folders.giveToReader(this.#sessionId, copy);
    return isCopied;
  }

  async #rebuild(isCopied: boolean): Promise<Salvage> {
    const { folders, mailbox } = this.#deps;
    const { call, migrations } = rules[this.#file];
    const draft = join(this.#workDir, 'draft.db');
    const placeOf = (path: string): string => folders.placeForReader(this.#sessionId, path);
    const salvage = await mailbox.outbound(this.#sessionId, call, {
      copy: isCopied ? placeOf(join(this.#workDir, 'copy.db')) : null,
      draft: placeOf(draft),
      migrations: this.#deps[migrations],
    });
    await copyOrdinary(draft, this.draft, maxDbBytes);
    return salvage;
  }
}
