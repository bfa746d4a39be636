/**
 * How many containers may run, and who is next. Fair: of those who wait, the agent group with the fewest containers
 * comes first, among equals the one whose last turn is longest ago, in it likewise the chats, and among their messages
 * the one that has waited longest. A flood of one chat keeps no other from its turn.
 */
import { BerthError } from '../../../shared/base/errors.js';

export interface AdmissionLimits {
  readonly maxContainers: number;
  /** The sum that the memory limits of all containers may reach, in MiB. */
  readonly memoryBudgetMb: number;
}

/** The share that one container takes, and whose it is. */
export interface Share {
  readonly sessionId: string;
  readonly agentGroupId: string;
  /** The chat, or the session itself where it serves several. */
  readonly chatId: string;
  readonly memoryMb: number;
}

interface Waiter {
  readonly share: Share;
  /** By performance.now(). */
  readonly since: number;
}

/** An engine starts some five containers a second, however many it is asked for: more at once make all of them slow. */
const maxStartsAtOnce = 4;

export class Admission {
  readonly #limits: AdmissionLimits;
  /** Of containers that run, as the engine says, and of those that are being started. */
  readonly #shares = new Map<string, Share>();
  readonly #starting = new Set<string>();
  /** How many containers an agent group and a chat have, by their ids. */
  readonly #counts = new Map<string, number>();
  /** When an agent group and a chat were last admitted while others waited: a number that grows. */
  readonly #turns = new Map<string, number>();
  #lastTurn = 0;
  #usedMb = 0;
  /** In the order in which they came. */
  readonly #waiters = new Map<string, Waiter>();
  #next: Waiter | undefined;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** Waits, and somebody else is next. */
  isKeptWaiting(sessionId: string): boolean {
    return this.#waiters.has(sessionId) && this.#next?.share.sessionId !== sessionId;
  }

  /**
   * True: its container may be started now, and its place is taken until `started` and `release`. False: it waits.
   * Throws spec_refused where its container would never fit.
   */
  admit(share: Share): boolean {
    const { memoryBudgetMb } = this.#limits;
    if (share.memoryMb > memoryBudgetMb) {
      throw new BerthError(
        'spec_refused',
        `A container of this agent group takes ${share.memoryMb} MiB, and all together may take ${memoryBudgetMb} MiB.`,
        { next: 'Lower memoryMb in its container config, or raise BERTH_MEMORY_BUDGET_MB.' },
      );
    }
    this.#wait(share);
    if (this.#next?.share.sessionId !== share.sessionId) return false;
    if (!this.#fits(share) || this.#starting.size >= maxStartsAtOnce) return false;
    this.#take(share);
    return true;
  }

  /** As admit, for one that nobody waits for: it never waits, and leaves a place free for somebody who comes. */
  admitPrewarmed(share: Share): boolean {
    const isLastPlace = this.#shares.size + 1 >= this.#limits.maxContainers;
    const isBusy = this.#waiters.size > 0 || this.#starting.size >= maxStartsAtOnce;
    if (isLastPlace || isBusy || !this.#fits(share)) return false;
    this.#take(share);
    return true;
  }

  /** The start that was admitted has ended. */
  started(sessionId: string, isRunning: boolean): void {
    this.#starting.delete(sessionId);
    if (!isRunning) this.release(sessionId);
  }

  /** Its container runs, whoever started it. */
  note(share: Share): void {
    this.#waiters.delete(share.sessionId);
    this.#addShare(share);
    this.#findNext();
  }

  /** The session has no container. */
  release(sessionId: string): void {
    const share = this.#shares.get(sessionId);
    if (share === undefined || this.#starting.has(sessionId)) return;
    this.#shares.delete(sessionId);
    this.#usedMb -= share.memoryMb;
    this.#count(share, -1);
    this.#findNext();
  }

  /** As release, of all others. */
  keepOnly(sessionIds: ReadonlySet<string>): void {
    for (const sessionId of [...this.#shares.keys()]) {
      if (!sessionIds.has(sessionId)) this.release(sessionId);
    }
  }

  /** The session does not want a container any more. */
  leave(sessionId: string): void {
    if (this.#waiters.delete(sessionId)) this.#findNext();
  }

  /**
   * The session that would be admitted now, or would be if there were a place; undefined: nobody waits, or other starts
   * come first.
   */
  next(): { readonly sessionId: string; readonly needsPlace: boolean } | undefined {
    if (this.#next === undefined) return undefined;
    const { share } = this.#next;
    const needsPlace = !this.#fits(share);
    if (!needsPlace && this.#starting.size >= maxStartsAtOnce) return undefined;
    return { sessionId: share.sessionId, needsPlace };
  }

  /** Those who have waited for longer than that, with their places in the queue, from 1. */
  listWaiting(longerThanMs: number): readonly { sessionId: string; place: number }[] {
    const now = performance.now();
    return [...this.#waiters.values()]
      .sort((a, b) => compareRanks(this.#rankOf(a), this.#rankOf(b)))
      .map(({ share, since }, index) => ({ sessionId: share.sessionId, place: index + 1, since }))
      .filter(({ since }) => now - since > longerThanMs);
  }

  #wait(share: Share): void {
    const known = this.#waiters.get(share.sessionId);
    const waiter = { share, since: known?.since ?? performance.now() };
    this.#waiters.set(share.sessionId, waiter);
    if (known !== undefined && this.#next === known) this.#next = waiter;
    else if (this.#next === undefined || this.#isBefore(waiter, this.#next)) this.#next = waiter;
  }

  #take(share: Share): void {
    this.#waiters.delete(share.sessionId);
    this.#noteTurn(share);
    this.#starting.add(share.sessionId);
    this.#addShare(share);
    this.#findNext();
  }

  #noteTurn({ agentGroupId, chatId }: Share): void {
    this.#lastTurn += 1;
    if (this.#waiters.size === 0) this.#turns.clear();
    for (const id of [agentGroupId, chatId]) this.#turns.set(id, this.#lastTurn);
  }

  #addShare(share: Share): void {
    const known = this.#shares.get(share.sessionId);
    this.#shares.set(share.sessionId, share);
    this.#usedMb += share.memoryMb - (known?.memoryMb ?? 0);
    if (known !== undefined) this.#count(known, -1);
    this.#count(share, 1);
  }

  #count({ agentGroupId, chatId }: Share, change: 1 | -1): void {
    for (const id of [agentGroupId, chatId]) {
      const count = (this.#counts.get(id) ?? 0) + change;
      if (count > 0) this.#counts.set(id, count);
      else this.#counts.delete(id);
    }
  }

  #fits({ memoryMb }: Share): boolean {
    const { maxContainers, memoryBudgetMb } = this.#limits;
    return this.#shares.size < maxContainers && this.#usedMb + memoryMb <= memoryBudgetMb;
  }

  #findNext(): void {
    this.#next = undefined;
    for (const waiter of this.#waiters.values()) {
      if (this.#next === undefined || this.#isBefore(waiter, this.#next)) this.#next = waiter;
    }
  }

  #isBefore(a: Waiter, b: Waiter): boolean {
    return compareRanks(this.#rankOf(a), this.#rankOf(b)) < 0;
  }

  #rankOf({ share, since }: Waiter): Rank {
    const ofBoth = [share.agentGroupId, share.chatId].flatMap((id) => [
      this.#counts.get(id) ?? 0,
      this.#turns.get(id) ?? 0,
    ]);
    return [...ofBoth, since];
  }
}

/** Containers of the agent group, its last turn; the same of the chat; waiting since. The first that differs decides. */
type Rank = readonly number[];

function compareRanks(a: Rank, b: Rank): number {
  const differing = a.findIndex((one, i) => one !== b[i]);
  return differing === -1 ? 0 : (a[differing] ?? 0) - (b[differing] ?? 0);
}
