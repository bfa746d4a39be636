/**
 * What becomes of a session whose files cannot be used. What is found is written down; the session's container is kept
 * absent until its files are whole again, and they are worked on only after it has ended for certain.
 */
import { existsSync } from 'node:fs';
import { isoAt, type Clock } from '../../../shared/base/clock.js';
import { BerthError, toBerthError } from '../../../shared/base/errors.js';
import { Deadline, delay } from '../../../shared/base/lifecycle.js';
import type { Logger } from '../../../shared/base/logger.js';
import { isThere } from '../../../shared/base/sqlite/sqlite.js';
import { outboundDbPath } from '../../../shared/protocol/workspace.js';
import type { Store } from '../../store/store.js';
import type { Nudges } from '../nudges.js';
import { findDamage, type Damage } from './damage.js';
import { LastingTrouble } from './lasting-trouble.js';
import type { FileMender } from './file-mender.js';
import type { Mailbox } from '../mailbox/mailbox.js';
import { findStat } from './repair-files.js';
import type { SessionFolders } from '../session-folder.js';
import type { SessionRegistry } from '../session-registry.js';

export interface SessionRecoveryDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly sessions: SessionRegistry;
  readonly folders: SessionFolders;
  readonly mender: FileMender;
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds of a clock that is never set. Left out: performance.now(). */
  readonly monotonicNow?: () => number;
  /** `container`: the session's container must end, or is to be looked at; then `repair` is called. */
  readonly nudges: Pick<Nudges, 'container' | 'notices' | 'schedule'>;
}

/** How long a message waits for the repair of its session; after that a new session takes it. In milliseconds. */
const restoreTimeoutMs = 15_000;

/** Until files that were out of reach are tried again, in milliseconds. */
const tryAgainMs = 2_000;

const maxTries = 3;

/** So many damaged files within an hour are more than one message can be blamed for. */
const hopelessCount = 10;
const hopelessWithinMs = 3_600_000;

export class SessionRecovery {
  readonly #deps: SessionRecoveryDeps;
  readonly #waiters = new Map<string, (() => void)[]>();

  readonly #outOfReach: LastingTrouble;

  constructor(deps: SessionRecoveryDeps) {
    this.#deps = deps;
    this.#outOfReach = new LastingTrouble(deps.monotonicNow);
  }

  /** After a start: repairs that an earlier daemon has not finished. */
  start(): void {
    const { store, nudges } = this.#deps;
    for (const sessionId of store.repairs.listSessionsWanting()) nudges.container(sessionId);
  }

  /** Something went wrong with a session's files. False where that is no damage: it may pass by itself. */
  report(sessionId: string, error: unknown): boolean {
    const { store } = this.#deps;
    const damage = findDamage(error);
    const session = store.sessions.find(sessionId);
    if (damage === undefined || session === undefined) return false;
    if (session.status === 'set-aside') return true;
    switch (damage.kind) {
      case 'interrupted':
        // While a container runs, its own end or its next commit takes care of that.
        if (session.containerStatus !== 'stopped') return false;
        this.#want(sessionId, 'rollback-wanted', 'outbound.db', damage.reason);
        return true;
      case 'damaged':
        this.#reportDamaged(sessionId, damage, error);
        return true;
      case 'out-of-reach':
        if (damage.mayPass && !this.#lasts(sessionId, damage.reason)) return false;
        this.setAside(sessionId, damage.reason);
        return true;
    }
  }

  #reportDamaged(
    sessionId: string,
    damage: Extract<Damage, { kind: 'damaged' }>,
    error: unknown,
  ): void {
    if (this.#wasNeverWritten(sessionId, error)) return;
    if (this.#isHopeless(sessionId)) {
      this.setAside(sessionId, `its files are damaged again and again: ${damage.reason}`);
      return;
    }
    if (this.#want(sessionId, 'wanted', damage.file, damage.reason)) {
      this.#deps.log.error(
        { sessionId, file: damage.file, reason: damage.reason },
        'session file damaged',
      );
    }
  }

  /** The session's files were used without trouble. */
  noteWell(sessionId: string): void {
    this.#outOfReach.clear(sessionId);
  }

  /** A message could not be written, whatever was tried. Sets the session aside; false where the reason may pass. */
  abandon(sessionId: string, error: BerthError): boolean {
    const damage = findDamage(error);
    const isAside = this.#deps.store.sessions.find(sessionId)?.status === 'set-aside';
    if (damage?.kind === 'out-of-reach' && damage.mayPass && !isAside) return false;
    this.setAside(sessionId, error.message);
    return true;
  }

  /** Somebody has written to the session, and waits for it. */
  isInUse(sessionId: string): boolean {
    const { store } = this.#deps;
    const isAwaited = store.dueItems.find(sessionId, 'wake') !== undefined;
    return isAwaited && store.sessions.find(sessionId)?.lastActive !== null;
  }

  /** Resolves when it may be tried again: the session's files are whole, or it was set aside, or that takes too long. */
  async restore(sessionId: string, error: unknown): Promise<void> {
    const isDealtWith = this.report(sessionId, error);
    if (!isDealtWith && findDamage(error)?.kind === 'out-of-reach') await delay(tryAgainMs);
    if (!isDealtWith || !this.#deps.store.repairs.isWanted(sessionId)) return;
    const done = new Promise<void>((resolve) => {
      this.#waiters.set(sessionId, [...(this.#waiters.get(sessionId) ?? []), resolve]);
    });
    await new Deadline(restoreTimeoutMs).wait(done);
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
   * Mends what is damaged; call it only when the session's container has ended for certain, and nothing else uses its
   * files. Returns the messages whose try has failed by this; undefined where nothing had to be done. Throws what keeps
   * it from being done: until it is, nothing may use these files.
   */
  async repair(sessionId: string): Promise<ReadonlySet<string> | undefined> {
    const { store, mailbox, mender } = this.#deps;
    const session = store.sessions.find(sessionId);
    if (session === undefined || session.status === 'set-aside') return undefined;
    await mender.noteSigns(sessionId);
    if (!mender.isNeeded(sessionId)) return undefined;
    const release = mailbox.hold(sessionId);
    try {
      // Closing a file by other means would drop the locks that SQLite holds on it.
      await mailbox.release(sessionId);
      return await mender.mend(session);
    } catch (error) {
      this.#giveUpInTime(sessionId, error);
      throw error;
    } finally {
      release();
      if (!store.repairs.isWanted(sessionId)) this.#wake(sessionId);
    }
  }

  /** Takes a session out of use for good, because its files cannot be used. */
  setAside(sessionId: string, reason: string): void {
    const { store, sessions, nudges } = this.#deps;
    sessions.quarantine(sessionId, reason);
    store.repairs.giveUp(sessionId);
    this.#wake(sessionId);
    nudges.container(sessionId);
    nudges.schedule();
    nudges.notices();
  }

  #want(
    sessionId: string,
    action: 'wanted' | 'rollback-wanted',
    file: 'inbound.db' | 'outbound.db',
    detail: string,
  ): boolean {
    const { store, clock, nudges } = this.#deps;
    const wish = { file, action, detail, createdAt: isoAt(clock.now()) };
    const isNews = store.repairs.want(sessionId, wish);
    nudges.container(sessionId);
    return isNews;
  }

  /** It has no files yet, and nothing waits in it. */
  #wasNeverWritten(sessionId: string, error: unknown): boolean {
    const { folders } = this.#deps;
    return (
      toBerthError(error).code === 'database_missing' &&
      !this.isInUse(sessionId) &&
      !existsSync(outboundDbPath(folders.outDir(sessionId)))
    );
  }

  /** Whatever damages its files will not stop. */
  #isHopeless(sessionId: string): boolean {
    const { store, clock } = this.#deps;
    const since = isoAt(clock.now() - hopelessWithinMs);
    return store.repairs.countReplaced(sessionId, since) >= hopelessCount;
  }

  #giveUpInTime(sessionId: string, error: unknown): void {
    const { code, message } = toBerthError(error);
    const damage = findDamage(error);
    // A full disk is no reason to give up a conversation, nor is a system that has run short of something.
    if (code === 'disk_full' || code === 'resources_short') return;
    const isOutOfReach = damage?.kind === 'out-of-reach';
    if (isOutOfReach && damage.mayPass && !this.#lasts(sessionId, message)) return;
    const isLasting = isOutOfReach;
    if (this.#deps.store.repairs.noteFailure(sessionId) >= maxTries || isLasting) {
      this.setAside(sessionId, `its files could not be repaired: ${message}`);
    }
  }

  /** Files that cannot be reached for a moment are whole: only what lasts is taken for damage. */
  #lasts(sessionId: string, reason: string): boolean {
    const { isFirst, lasts } = this.#outOfReach.note(sessionId);
    if (isFirst) this.#deps.log.warn({ sessionId, reason }, 'session files out of reach');
    return lasts;
  }

  #wake(sessionId: string): void {
    const waiters = this.#waiters.get(sessionId) ?? [];
    this.#waiters.delete(sessionId);
    for (const resolve of waiters) resolve();
  }
}
