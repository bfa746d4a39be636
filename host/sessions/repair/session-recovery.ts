/**
 * Deals with sessions whose files cannot be used. Damage is written down; the session's container is kept absent until
 * the files are whole again, and they are worked on only after it has ended for certain.
 */
import { isoAt } from '../../../shared/base/clock.js';
import { BerthError, hasCode, toBerthError } from '../../../shared/base/errors.js';
import { delay } from '../../../shared/base/lifecycle.js';
import { isThere } from '../../../shared/base/sqlite/sqlite.js';
import { outboundDbName, outboundDbPath } from '../../../shared/protocol/workspace.js';
import type { MailboxFile } from '../../store/repairs.js';
import { findDamage } from './damage.js';
import { LastingTrouble } from './lasting-trouble.js';
import type { RepairDeps } from './repair-deps.js';
import { findStat } from './repair-files.js';
import { SessionRepair } from './session-repair.js';

export interface SessionRecoveryDeps extends RepairDeps {
  /** Milliseconds of a clock that is never set. Left out: performance.now(). */
  readonly monotonicNow?: () => number;
}

/** How long a message waits for the repair of its session; after that a new session takes it. In milliseconds. */
const restoreTimeoutMs = 15_000;
/** A caller that waits for a repair asks so often whether it is done, in milliseconds. */
const restorePollMs = 10;
/** Until files that were out of reach are tried again, in milliseconds. */
const tryAgainMs = 2_000;
const maxTries = 3;
/** So many damaged files within an hour are more than one message can be blamed for. */
const hopelessCount = 10;
const hopelessWithinMs = 3_600_000;

export class SessionRecovery {
  readonly #deps: SessionRecoveryDeps;
  readonly #repair: SessionRepair;
  readonly #outOfReach: LastingTrouble;

  constructor(deps: SessionRecoveryDeps) {
    this.#deps = deps;
    this.#repair = new SessionRepair(deps);
    this.#outOfReach = new LastingTrouble(deps.monotonicNow);
  }

  /** After a start: repairs that an earlier daemon has not finished. */
  start(): void {
    const { store, nudges } = this.#deps;
    for (const sessionId of store.repairs.listSessionsWanting()) nudges.container(sessionId);
  }

  /** Something went wrong with a session's files. False where that is no damage: it may pass by itself. */
  report(sessionId: string, error: unknown): boolean {
    const damage = findDamage(error);
    const session = this.#deps.store.sessions.find(sessionId);
    if (damage === undefined || session === undefined) return false;
    if (session.status === 'set-aside') return true;
    switch (damage.kind) {
      case 'interrupted':
        // While a container runs, its own end or its next commit takes care of that.
        if (session.containerStatus !== 'stopped') return false;
        this.#want(sessionId, 'rollback-wanted', outboundDbName, damage.reason);
        return true;
      case 'damaged':
        if (!this.#wasNeverWritten(sessionId, error)) {
          this.#reportDamaged(sessionId, damage.file, damage.reason);
        }
        return true;
      case 'out-of-reach':
        if (damage.mayPass && !this.#lasts(sessionId, damage.reason)) return false;
        this.#quarantine(sessionId, damage.reason);
        return true;
    }
  }

  /** The session's files were used without trouble. */
  noteWell(sessionId: string): void {
    this.#outOfReach.clear(sessionId);
  }

  /** A message could not be written, whatever was tried. Quarantines the session; false where the reason may pass. */
  abandon(sessionId: string, error: BerthError): boolean {
    const damage = findDamage(error);
    const isQuarantined = this.#deps.store.sessions.find(sessionId)?.status === 'set-aside';
    if (damage?.kind === 'out-of-reach' && damage.mayPass && !isQuarantined) return false;
    this.#quarantine(sessionId, error.message);
    return true;
  }

  /** Tells whether somebody has written to the session, and waits for it. */
  isInUse(sessionId: string): boolean {
    const { store } = this.#deps;
    const isAwaited = store.dueItems.find(sessionId, 'wake') !== undefined;
    return isAwaited && store.sessions.find(sessionId)?.lastActive !== null;
  }

  /** Resolves when it may be tried again: the files are whole, or the session is quarantined, or that takes too long. */
  async restore(sessionId: string, error: unknown): Promise<void> {
    if (!this.report(sessionId, error)) {
      if (findDamage(error)?.kind === 'out-of-reach') await delay(tryAgainMs);
      return;
    }
    const givesUpAt = performance.now() + restoreTimeoutMs;
    while (this.#deps.store.repairs.isWanted(sessionId) && performance.now() < givesUpAt) {
      await delay(restorePollMs);
    }
  }

  /** Throws database_missing where outbound.db is gone, or empty, although the session was used. */
  async assertWhole(sessionId: string): Promise<void> {
    const { folders, mailbox } = this.#deps;
    const path = outboundDbPath(folders.outDir(sessionId));
    const stat = findStat(path);
    if (stat !== undefined && (!stat.isFile() || stat.size > 0)) return;
    // Throws where it may be there, and cannot be reached.
    isThere(path);
    if (!(await mailbox.inbound(sessionId, 'hasHistory'))) return;
    throw new BerthError('database_missing', `${path} is gone.`, { facts: { path } });
  }

  /**
   * Repairs what is damaged; call it only when the session's container has ended for certain, and nothing else uses its
   * files. Returns the messages whose try has failed by this; undefined where nothing had to be done. Throws what keeps
   * it from being done: until it is, nothing may use these files.
   */
  async repair(sessionId: string): Promise<ReadonlySet<string> | undefined> {
    const { store, mailbox } = this.#deps;
    const session = store.sessions.find(sessionId);
    if (session === undefined || session.status === 'set-aside') return undefined;
    if (!(await this.#repair.isNeeded(sessionId))) return undefined;
    const letGo = mailbox.hold(sessionId);
    try {
      // Closing a file by other means would drop the locks that SQLite holds on it.
      await mailbox.release(sessionId);
      return await this.#repair.repair(session);
    } catch (error) {
      this.#giveUpInTime(sessionId, error);
      throw error;
    } finally {
      letGo();
    }
  }

  #reportDamaged(sessionId: string, file: MailboxFile, reason: string): void {
    const { store, clock, log } = this.#deps;
    const since = isoAt(clock.now() - hopelessWithinMs);
    if (store.repairs.countReplaced(sessionId, since) >= hopelessCount) {
      this.#quarantine(sessionId, `its files are damaged again and again: ${reason}`);
    } else if (this.#want(sessionId, 'wanted', file, reason)) {
      log.error({ sessionId, file, reason }, 'session file damaged');
    }
  }

  #want(
    sessionId: string,
    action: 'wanted' | 'rollback-wanted',
    file: MailboxFile,
    detail: string,
  ): boolean {
    const { store, clock, nudges } = this.#deps;
    const wish = { file, action, detail, createdAt: isoAt(clock.now()) };
    const isNews = store.repairs.want(sessionId, wish);
    nudges.container(sessionId);
    return isNews;
  }

  /** Takes a session out of use for good, because its files cannot be used. */
  #quarantine(sessionId: string, reason: string): void {
    const { store, sessions, nudges } = this.#deps;
    sessions.quarantine(sessionId, reason);
    store.repairs.giveUp(sessionId);
    nudges.container(sessionId);
    nudges.schedule();
    nudges.notices();
  }

  /** It has no files yet, and nothing waits in it. */
  #wasNeverWritten(sessionId: string, error: unknown): boolean {
    const outboundPath = outboundDbPath(this.#deps.folders.outDir(sessionId));
    return (
      hasCode(error, 'database_missing') &&
      !this.isInUse(sessionId) &&
      findStat(outboundPath) === undefined
    );
  }

  #giveUpInTime(sessionId: string, error: unknown): void {
    const { code, message } = toBerthError(error);
    // A full disk is no reason to give up a conversation, nor is a system that has run short of something.
    if (code === 'disk_full' || code === 'resources_short') return;
    if (findDamage(error)?.kind === 'out-of-reach') {
      this.report(sessionId, error);
    } else if (this.#deps.store.repairs.noteFailure(sessionId) >= maxTries) {
      this.#quarantine(sessionId, `its files could not be repaired: ${message}`);
    }
  }

  /** Files that cannot be reached for a moment are whole: only what lasts is taken for damage. */
  #lasts(sessionId: string, reason: string): boolean {
    const { isFirst, lasts } = this.#outOfReach.note(sessionId);
    if (isFirst) this.#deps.log.warn({ sessionId, reason }, 'session files out of reach');
    return lasts;
  }
}
