/** Limits one session's growth: takes away what its agent group does not keep, and plans the next visit. */
import { rm } from 'node:fs/promises';
import { isoAt, type Clock } from '../../../shared/base/clock.js';
import { errnoOf, hasCode } from '../../../shared/base/errors.js';
import type { Logger } from '../../../shared/base/logger.js';
import { parseContainerConfig, type ContainerConfig } from '../../store/container-config.js';
import type { Session } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';
import type { FileRetention } from './file-retention.js';
import { dayMs, daysAgo, type RowRetention } from './row-retention.js';
import type { SessionFolders } from '../session-folder.js';
import { SessionLifecycle } from '../session-lifecycle.js';
import type { Trash } from './trash.js';

export interface SessionUpkeepDeps {
  readonly store: Store;
  readonly folders: SessionFolders;
  readonly rows: RowRetention;
  readonly files: FileRetention;
  readonly trash: Trash;
  /** Where the output of a session's container is kept; older pieces have `.1`, `.2`, … behind the name. */
  readonly logPath: (sessionId: string) => string;
  readonly clock: Clock;
  readonly log: Logger;
}

const hourMs = 3_600_000;

/** A session that is not used any more has less and less to give away. */
const idleVisitDays = 7;

type Keep = Pick<ContainerConfig, 'keepFilesDays' | 'keepMessagesDays'>;

export class SessionUpkeep {
  readonly #deps: SessionUpkeepDeps;
  readonly #lifecycle: SessionLifecycle;

  constructor(deps: SessionUpkeepDeps) {
    this.#deps = deps;
    this.#lifecycle = new SessionLifecycle(deps);
  }

  /** Rejects only when the next visit cannot be planned: what goes wrong in a session is left for the next one. */
  async visit(sessionId: string, signal: AbortSignal): Promise<void> {
    const { store, clock, log } = this.#deps;
    const session = store.sessions.find(sessionId);
    if (session === undefined) return;
    let nextInMs = idleVisitDays * dayMs;
    try {
      const keep = this.#keepOf(session);
      this.#noteEnd(session);
      if (this.#isForgotten(session, keep)) {
        await this.#remove(session);
        return;
      }
      await this.#prune(session, keep, signal);
      nextInMs = this.#nextInMs(session, keep);
    } catch (err) {
      log.warn({ err, sessionId }, 'session not pruned');
    }
    // Cut short, it is still due after the restart.
    if (signal.aborted) return;
    const dueAt = isoAt(clock.now() + nextInMs);
    store.dueItems.set({ sessionId, kind: 'prune', dueAt, attempts: 0 });
  }

  /** Throws where the config cannot be read: what was to be kept is not guessed. */
  #keepOf(session: Session): Keep {
    const group = this.#deps.store.agentGroups.find(session.agentGroupId);
    return parseContainerConfig(group?.containerConfig ?? null);
  }

  async #prune(session: Session, keep: Keep, signal: AbortSignal): Promise<void> {
    const { store, clock, folders, rows, files, log } = this.#deps;
    const { id: sessionId } = session;
    const before = daysAgo(clock, keep.keepMessagesDays);
    await folders.writePruneOrder(sessionId, {
      before,
      keptMessageIds: store.deadLetters.listForSession(sessionId).map(({ messageId }) => messageId),
    });
    try {
      const rowCount = await rows.prune(sessionId, before, signal);
      const fileCount = await files.prune(sessionId, keep.keepFilesDays * dayMs, signal);
      if (rowCount + fileCount > 0) {
        log.info({ sessionId, rows: rowCount, folders: fileCount }, 'session pruned');
      }
    } catch (error) {
      // A session that was never written to.
      if (!hasCode(error, 'database_missing')) throw error;
    }
    if (isStopped(session) && lastUse(session) < daysAgo(clock, keep.keepFilesDays)) {
      await this.#removeLogs(sessionId);
    }
  }

  /** Work that a container kept from being done is done soon. */
  #nextInMs(session: Session, keep: Keep): number {
    if (!isStopped(session)) return hourMs;
    const isUsed = lastUse(session) > daysAgo(this.#deps.clock, keep.keepFilesDays + idleVisitDays);
    return isUsed ? dayMs : idleVisitDays * dayMs;
  }

  /** From the first visit that finds it so; a session that is taken into use again begins anew. */
  #noteEnd({ id, status }: Session): void {
    const { store, clock } = this.#deps;
    const hasEnded = status === 'closed' || status === 'set-aside';
    if (hasEnded === (store.sessions.findEndedAt(id) !== null)) return;
    store.sessions.setEndedAt(id, hasEnded ? isoAt(clock.now()) : null);
  }

  #isForgotten(session: Session, { keepMessagesDays }: Keep): boolean {
    const { store, clock } = this.#deps;
    const endedAt = store.sessions.findEndedAt(session.id);
    if (endedAt === null || endedAt >= daysAgo(clock, keepMessagesDays)) return false;
    // A dead letter that a person has not purged yet stays, with all that it is about; and so does what is still to be
    // sent.
    const isAwaited =
      store.deadLetters.listForSession(session.id).length > 0 ||
      store.awaitedListeners.isAwaiting(session.id) ||
      store.dueItems.find(session.id, 'deliver') !== undefined;
    return isStopped(session) && !isAwaited;
  }

  /** The folder first: with its row gone, nobody would find it any more. */
  async #remove({ id: sessionId, status }: Session): Promise<void> {
    const { folders, trash, log } = this.#deps;
    trash.take(folders.folderOf(sessionId));
    this.#lifecycle.remove(sessionId, 'it had ended long ago');
    log.info({ sessionId, status }, 'ended session removed');
    await this.#removeLogs(sessionId);
  }

  async #removeLogs(sessionId: string): Promise<void> {
    const path = this.#deps.logPath(sessionId);
    await rm(path, { force: true });
    for (let piece = 1; ; piece += 1) {
      try {
        await rm(`${path}.${piece}`);
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return;
        throw error;
      }
    }
  }
}

function isStopped({ containerStatus }: Session): boolean {
  return containerStatus === 'stopped';
}

function lastUse({ lastActive, createdAt }: Session): string {
  return lastActive ?? createdAt;
}
