/**
 * Goes slowly through all sessions and compares their files with the index: work that the index does not name would
 * wait for ever. A finding is repaired, and logged as an error: something has failed to note it. There is one cause
 * that is no bug: a power cut may take the last transactions of central.db with it.
 */
import { lstatSync } from 'node:fs';
import { isoAt, type Clock } from '../../shared/base/clock.js';
import { hasCode } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import { PollLoop } from '../../shared/base/poll-loop.js';
import type { OpenInbound } from '../../shared/protocol/mailbox/inbound-rows.js';
import { inboundDbPath, outboundDbPath } from '../../shared/protocol/workspace.js';
import type { Mailbox } from '../sessions/mailbox/mailbox.js';
import type { SessionFolders } from '../sessions/session-folder.js';
import type { DueItem } from '../store/due-items.js';
import type { Store } from '../store/store.js';
import type { TaskCheck } from './task-check.js';

export interface SafetyScanDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly folders: Pick<SessionFolders, 'inDir' | 'outDir'>;
  readonly taskCheck: TaskCheck;
  /** A round begins. */
  readonly onRound: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long a round through all sessions may take, in milliseconds. */
  readonly roundMs: number;
}

/** Between two sessions, in milliseconds: few sessions are no reason to hurry, and many none to hold others up. */
const longestPauseMs = 60_000;
const shortestPauseMs = 20;
/** Files that were written so lately may be ahead of the index, in milliseconds. */
const quietMs = 10_000;
const pageSize = 100;

export class SafetyScan {
  readonly #deps: SafetyScanDeps;
  readonly #loop: PollLoop;
  #found = 0;
  /** Counted once a round. */
  #sessionCount: number | undefined;

  constructor(deps: SafetyScanDeps) {
    this.#deps = deps;
    this.#loop = new PollLoop({
      name: 'safety scan',
      poll: () => this.checkNext(),
      intervalMs: () => this.#pauseMs(),
      log: deps.log,
    });
  }

  start(): void {
    this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  /** Reads one session, the next after the last one. The place where the round goes on is kept: it outlasts restarts. */
  async checkNext(): Promise<void> {
    const { store, clock } = this.#deps;
    const cursor = store.daemonState.findScanCursor();
    const next = store.sessions.findActiveAfter(cursor);
    if (cursor === '') await this.#beginRound();
    else if (next === undefined) this.#endRound();
    store.daemonState.writeScanCursor(next ?? '', isoAt(clock.now()));
    if (next !== undefined) await this.#check(next);
  }

  async #beginRound(): Promise<void> {
    this.#found = 0;
    this.#sessionCount = undefined;
    await this.#deps.onRound();
  }

  #endRound(): void {
    this.#deps.log.info({ found: this.#found }, 'safety scan has been through all sessions');
  }

  #pauseMs(): number {
    this.#sessionCount ??= this.#deps.store.sessions.countByStatus('active');
    const pauseMs = this.#deps.roundMs / Math.max(1, this.#sessionCount);
    return Math.min(Math.max(pauseMs, shortestPauseMs), longestPauseMs);
  }

  async #check(sessionId: string): Promise<void> {
    const { log } = this.#deps;
    try {
      if (!this.#isAtRest(sessionId) || this.#isBeingWritten(sessionId)) return;
      const inbound = await this.#readInbound(sessionId);
      if (inbound === undefined) return;
      if (inbound.isUnnamed) this.#repair(sessionId, 'a message that waits');
      else if (await this.#hasUnnamedReply(sessionId))
        this.#repair(sessionId, 'a reply that waits');
      await this.#checkTasks(sessionId, inbound.open);
    } catch (err) {
      if (!hasCode(err, 'database_corrupt', 'database_unreadable')) {
        log.warn({ err, sessionId }, 'safety scan could not read a session');
        return;
      }
      // The delivery for the session sees the damage too, and knows what to do about it.
      this.#repair(sessionId, 'a damaged file');
    }
  }

  /** A container keeps its files moving, and is watched by others. */
  #isAtRest(sessionId: string): boolean {
    const { store } = this.#deps;
    const session = store.sessions.find(sessionId);
    if (session?.status !== 'active' || session.containerStatus !== 'stopped') return false;
    return !store.repairs.isWanted(sessionId);
  }

  #isBeingWritten(sessionId: string): boolean {
    const { folders, clock } = this.#deps;
    const inbound = inboundDbPath(folders.inDir(sessionId));
    const outbound = outboundDbPath(folders.outDir(sessionId));
    const files = [inbound, `${inbound}-journal`, outbound, `${outbound}-journal`];
    return files.some((path) => Math.abs(clock.now() - writtenAtMs(path)) < quietMs);
  }

  /** Reads what is open, and whether the index has it; undefined where nobody has ever written to it. */
  async #readInbound(
    sessionId: string,
  ): Promise<{ readonly open: readonly OpenInbound[]; readonly isUnnamed: boolean } | undefined> {
    const { store, mailbox, clock } = this.#deps;
    try {
      const open = await mailbox.inbound(sessionId, 'listOpen');
      // Without a pause: what is written from now on belongs to neither.
      const wake = store.dueItems.find(sessionId, 'wake');
      return { open, isUnnamed: isUnnamed(open, wake, isoAt(clock.now())) };
    } catch (error) {
      if (hasCode(error, 'database_missing')) return undefined;
      throw error;
    }
  }

  async #checkTasks(sessionId: string, open: readonly OpenInbound[]): Promise<void> {
    const { store, taskCheck } = this.#deps;
    const hasTasks = store.tasks.listForSession(sessionId).length > 0;
    if (!hasTasks && !open.some(({ kind }) => kind === 'task')) return;
    for (const finding of await taskCheck.repair(sessionId)) this.#report(sessionId, finding);
  }

  async #hasUnnamedReply(sessionId: string): Promise<boolean> {
    const { store } = this.#deps;
    if (store.dueItems.find(sessionId, 'deliver') !== undefined) return false;
    if (store.awaitedListeners.isAwaiting(sessionId)) return false;
    return await this.#hasUndelivered(sessionId);
  }

  async #hasUndelivered(sessionId: string): Promise<boolean> {
    const { mailbox } = this.#deps;
    for (let after = 0; ;) {
      const rows = await mailbox.outbound(sessionId, 'listHeads', after, pageSize);
      if (rows.length === 0) return false;
      const ids = rows.map(({ id }) => id);
      const records = await mailbox.inbound(sessionId, 'findDeliveries', ids);
      if (rows.some(({ id }) => (records.get(id)?.status ?? 'sending') === 'sending')) return true;
      const last = rows.at(-1);
      if (last === undefined || rows.length < pageSize) return false;
      after = last.seq;
    }
  }

  /** A pass of the delivery settles what is acked, sends what waits, and plans what comes next. */
  #repair(sessionId: string, finding: string): void {
    const { store, clock } = this.#deps;
    store.dueItems.advance(sessionId, 'deliver', isoAt(clock.now()));
    this.#report(sessionId, finding);
  }

  #report(sessionId: string, finding: string): void {
    this.#found += 1;
    this.#deps.log.error({ sessionId, finding }, 'safety scan found what the index did not name');
  }
}

/** Whether messages wait for which the session is not due, or only later. */
function isUnnamed(open: readonly OpenInbound[], wake: DueItem | undefined, now: string): boolean {
  const pending = open.filter(({ status }) => status === 'pending');
  if (pending.length === 0) return false;
  if (wake === undefined) return true;
  // While a start is put off, its own time holds.
  if (wake.attempts > 0) return false;
  const earliest = pending.map(({ processAfter }) => processAfter ?? now).sort()[0] ?? now;
  return wake.dueAt > (earliest > now ? earliest : now);
}

/** Epoch milliseconds; a file that is not there was never written. */
function writtenAtMs(path: string): number {
  return lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.NEGATIVE_INFINITY;
}
