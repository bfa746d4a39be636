/**
 * Makes a session's outbound.db usable again after its container has ended for certain. Never before. The damaged file is
 * read by a reader process, on a copy; what it makes of it is copied once more before it is put in its place.
 */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isoAt, type Clock } from '../../../shared/base/clock.js';
import { hasCode } from '../../../shared/base/errors.js';
import type { Migration } from '../../../shared/base/sqlite/migrate.js';
import type { OutboundSalvage } from './rebuild/outbound-rebuild.js';
import { outboundDbPath } from '../../../shared/protocol/workspace.js';
import type { RepairAction } from '../../store/repairs.js';
import type { Mailbox } from '../mailbox/mailbox.js';
import { maxOutboundBytes, repairNames, type RepairRequest } from '../reader/reader-calls.js';
import type { SessionFolders } from '../session-folder.js';
import {
  copyOrdinary,
  emptyWorkDir,
  findStat,
  install,
  removeFile,
  setFileAside,
  type Copied,
} from './repair-files.js';

export interface OutboundRepairDeps {
  readonly folders: SessionFolders;
  readonly mailbox: Mailbox;
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

/** A rollback goes through all of the journal. */
const maxJournalBytes = 16 * 1024 ** 2;

interface Places {
  readonly db: string;
  readonly journal: string;
  /** The reader's, for as long as it works there. */
  readonly workDir: string;
  readonly keptDir: string;
  /** The copy that is worked on. */
  readonly copy: string;
  /** A fresh file, being made. */
  readonly draft: string;
  /** A file that is complete, out of the reader's reach: it only has to be put in its place. */
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
    await this.#prepare(sessionId, places);
    const copied = await copyOrdinary(places.db, places.copy, maxOutboundBytes);
    const journal = await this.#copyJournal(sessionId, places, copied);
    const isRolledBack = journal === 'copied' && (await this.#rollBack(sessionId, places));
    if (isRolledBack && wanted !== 'wanted') {
      await copyOrdinary(places.copy, places.ready, maxOutboundBytes);
      await this.#install(sessionId, places.ready, places);
      // Only now: a crash in between rolls back the same once more.
      await removeFile(places.journal);
      return { kind: 'rolled-back' };
    }
    if (journal === 'missing' && wanted !== 'wanted') return { kind: 'nothing' };
    return await this.#replace(sessionId, places, copied, await findOpen());
  }

  async #prepare(sessionId: string, places: Places): Promise<void> {
    const { folders } = this.#deps;
    await emptyWorkDir(places.workDir);
    await removeFile(places.ready);
    await folders.giveToReader(sessionId, places.workDir);
  }

  async #copyJournal(sessionId: string, places: Places, copied: Copied): Promise<Copied> {
    if (copied === 'copied') await this.#deps.folders.giveToReader(sessionId, places.copy);
    if (!this.hasJournal(sessionId)) return 'missing';
    if (copied !== 'copied') return 'odd';
    const journal = `${places.copy}-journal`;
    const result = await copyOrdinary(places.journal, journal, maxJournalBytes);
    if (result === 'copied') await this.#deps.folders.giveToReader(sessionId, journal);
    return result;
  }

  /** False where it cannot be done: the file is damaged then. */
  async #rollBack(sessionId: string, places: Places): Promise<boolean> {
    try {
      const request = this.#requestFor(sessionId, places, true, new Set());
      await this.#deps.mailbox.outbound(sessionId, 'rollBack', request);
      return true;
    } catch (error) {
      if (isPassing(error)) throw error;
      return false;
    }
  }

  async #replace(
    sessionId: string,
    places: Places,
    copied: Copied,
    open: ReadonlySet<string>,
  ): Promise<OutboundMend> {
    const { clock } = this.#deps;
    // What could not be rolled back must not get in the way of reading.
    await removeFile(`${places.copy}-journal`);
    const salvage = await this.#rebuild(sessionId, places, copied === 'copied', open);
    await copyOrdinary(places.draft, `${places.ready}.new`, maxOutboundBytes);
    await rename(`${places.ready}.new`, places.ready);
    const keptAs = await setFileAside(places.db, places.keptDir, isoAt(clock.now()));
    await this.#install(sessionId, places.ready, places);
    return { kind: 'replaced', salvage, keptAs };
  }

  /** A file that cannot be read within its time is worth nothing: a fresh one is made without it. */
  async #rebuild(
    sessionId: string,
    places: Places,
    hasCopy: boolean,
    open: ReadonlySet<string>,
  ): Promise<OutboundSalvage> {
    const { mailbox } = this.#deps;
    await removeFile(`${places.ready}.new`);
    try {
      const request = this.#requestFor(sessionId, places, hasCopy, open);
      return await mailbox.outbound(sessionId, 'rebuild', request);
    } catch (error) {
      if (!hasCopy || isPassing(error)) throw error;
      await this.#prepare(sessionId, places);
      const request = this.#requestFor(sessionId, places, false, open);
      return await mailbox.outbound(sessionId, 'rebuild', request);
    }
  }

  #requestFor(
    sessionId: string,
    { workDir }: Places,
    hasCopy: boolean,
    open: ReadonlySet<string>,
  ): RepairRequest {
    const { folders, outboundMigrations: migrations } = this.#deps;
    return {
      workDir: folders.placeForReader(sessionId, workDir),
      migrations,
      open: [...open],
      hasCopy,
    };
  }

  async #install(sessionId: string, from: string, { db }: Places): Promise<void> {
    await this.#deps.folders.ensureOutbound(sessionId);
    await this.#deps.folders.giveToAgent(from);
    await install(from, db);
  }

  #placesOf(sessionId: string): Places {
    const { folders } = this.#deps;
    const db = outboundDbPath(folders.outDir(sessionId));
    const repairDir = folders.repairDir(sessionId);
    const workDir = join(repairDir, 'out');
    return {
      db,
      journal: `${db}-journal`,
      workDir,
      keptDir: folders.damagedDir(sessionId),
      copy: join(workDir, repairNames.copy),
      draft: join(workDir, repairNames.draft),
      ready: join(repairDir, 'outbound-ready.db'),
    };
  }
}

/** It says nothing about the file, and may be gone the next time. */
function isPassing(error: unknown): boolean {
  return hasCode(error, 'disk_full', 'resources_short', 'io_failed', 'internal');
}
