/** Makes a session's outbound.db usable again after its container has ended for certain. Never before. */
import { join } from 'node:path';
import { rename } from 'node:fs/promises';
import { isoAt, type Clock } from '../../../shared/base/clock.js';
import { hasCode } from '../../../shared/base/errors.js';
import type { Migration } from '../../../shared/base/migrate.js';
import {
  rebuildOutbound,
  rollBackCopy,
  type OutboundSalvage,
} from '../../../shared/protocol/outbound-repair.js';
import { outboundDbPath } from '../../../shared/protocol/workspace.js';
import type { RepairAction } from '../../store/repairs.js';
import {
  copyOrdinary,
  emptyWorkDir,
  findStat,
  install,
  removeFile,
  setFileAside,
  type Copied,
} from './repair-files.js';
import type { SessionFolders } from '../session-folder.js';

export interface OutboundRepairDeps {
  readonly folders: SessionFolders;
  readonly outboundMigrations: readonly Migration[];
  readonly clock: Clock;
}

export type OutboundMend =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'rolled-back' }
  | {
      readonly kind: 'replaced';
      readonly salvage: OutboundSalvage;
      /** Where the damaged file is now. */
      readonly keptAs: string | undefined;
    };

/** Far beyond what a runner writes. A rollback holds up the thread: the journal is what it goes through. */
const maxDbBytes = 1024 ** 3;
const maxJournalBytes = 16 * 1024 ** 2;

interface Places {
  readonly db: string;
  readonly journal: string;
  readonly workDir: string;
  readonly keptDir: string;
  /** The copy that is worked on. */
  readonly copy: string;
  /** A fresh file, being made. */
  readonly draft: string;
  /** A fresh file, complete: it only has to be put in its place. */
  readonly ready: string;
}

export class OutboundRepair {
  readonly #deps: OutboundRepairDeps;

  constructor(deps: OutboundRepairDeps) {
    this.#deps = deps;
  }

  /** Whether a killed writer may have left a journal behind. One call of the operating system. */
  hasJournal(sessionId: string): boolean {
    const stat = findStat(this.#placesOf(sessionId).journal);
    return stat !== undefined && (!stat.isFile() || stat.size > 0);
  }

  /**
   * `wanted`: what somebody has found to be necessary. `findOpen`: messages whose end has not been noted yet. Throws what
   * reading and writing files throws.
   */
  async mend(
    sessionId: string,
    wanted: RepairAction | undefined,
    findOpen: () => Promise<ReadonlySet<string>>,
  ): Promise<OutboundMend> {
    const places = this.#placesOf(sessionId);
    if (findStat(places.ready) !== undefined && findStat(places.db) === undefined) {
      // A crash came between setting the old file aside and putting the new one in its place.
      await this.#install(sessionId, places.ready, places);
    }
    await emptyWorkDir(places.workDir);
    const copied = await copyOrdinary(places.db, places.copy, maxDbBytes);
    const journal = await this.#copyJournal(sessionId, places, copied);
    const isRolledBack = journal === 'copied' && rollBack(places.copy);
    if (isRolledBack && wanted !== 'wanted') {
      await this.#install(sessionId, places.copy, places);
      // Only now: a crash in between rolls back the same once more.
      await removeFile(places.journal);
      return { kind: 'rolled-back' };
    }
    if (journal === 'missing' && wanted !== 'wanted') return { kind: 'nothing' };
    return await this.#replace(sessionId, places, copied, await findOpen());
  }

  async #copyJournal(sessionId: string, places: Places, copied: Copied): Promise<Copied> {
    if (!this.hasJournal(sessionId)) return 'missing';
    if (copied !== 'copied') return 'odd';
    return await copyOrdinary(places.journal, `${places.copy}-journal`, maxJournalBytes);
  }

  async #replace(
    sessionId: string,
    places: Places,
    copied: Copied,
    open: ReadonlySet<string>,
  ): Promise<OutboundMend> {
    const { outboundMigrations, clock } = this.#deps;
    // What could not be rolled back must not get in the way of reading.
    await removeFile(`${places.copy}-journal`);
    const source = copied === 'copied' ? places.copy : undefined;
    const salvage = await rebuildOutbound(source, places.draft, outboundMigrations, open);
    await rename(places.draft, places.ready);
    const keptAs = await setFileAside(places.db, places.keptDir, isoAt(clock.now()));
    await this.#install(sessionId, places.ready, places);
    return { kind: 'replaced', salvage, keptAs };
  }

  async #install(sessionId: string, from: string, { db }: Places): Promise<void> {
    await this.#deps.folders.ensureOutbound(sessionId);
    await this.#deps.folders.giveToAgent(from);
    await install(from, db);
  }

  #placesOf(sessionId: string): Places {
    const { folders } = this.#deps;
    const db = outboundDbPath(folders.outDir(sessionId));
    const workDir = join(folders.repairDir(sessionId), 'out');
    return {
      db,
      journal: `${db}-journal`,
      workDir,
      keptDir: folders.damagedDir(sessionId),
      copy: join(workDir, 'copy.db'),
      draft: join(workDir, 'draft.db'),
      ready: join(workDir, 'ready.db'),
    };
  }
}

/** False where it cannot be done: the file is damaged then. */
function rollBack(copy: string): boolean {
  try {
    rollBackCopy(copy, maxDbBytes);
    return true;
  } catch (error) {
    if (hasCode(error, 'disk_full')) throw error;
    return false;
  }
}
