/**
 * Deals with a lock on a session's inbound.db that stays: its own container is ended where it surely is the holder; any
 * other program is waited for, and named.
 */
import { delay } from '../../../shared/base/lifecycle.js';
import type { Logger } from '../../../shared/base/logger.js';
import type { LockHolders } from './lock-holders.js';
import type { BlockedAnswer } from './lock-patience.js';

export interface BlockedSessionsDeps {
  readonly holders: Pick<LockHolders, 'find' | 'isHeldByOneOf' | 'nameOf'>;
  readonly log: Logger;
  /** Whether a process surely runs in the session's container. */
  readonly isOfContainer: (sessionId: string, pid: number) => Promise<boolean>;
  /** False: none runs. */
  readonly endContainer: (sessionId: string) => boolean;
}

/**
 * A runner reads its inbound.db for a moment many times in a second: only a container that is seen with a lock every time
 * is the one that does not give it back.
 */
const checks = 5;
const betweenChecksMs = 60;

type Holder = 'container' | 'unnamed' | undefined | { readonly pid: number };

export class BlockedSessions {
  readonly #deps: BlockedSessionsDeps;
  /** All who wait for one session get one answer. */
  readonly #asked = new Map<string, Promise<BlockedAnswer>>();
  /** Session and holder that were logged last. */
  #logged = '';

  constructor(deps: BlockedSessionsDeps) {
    this.#deps = deps;
  }

  /** `path`: of its inbound.db. Never rejects. */
  help(sessionId: string, path: string): Promise<BlockedAnswer> {
    const asked = this.#asked.get(sessionId);
    if (asked !== undefined) return asked;
    const answer = this.#help(sessionId, path)
      .catch(() => ({ isHelped: false }))
      .finally(() => {
        this.#asked.delete(sessionId);
      });
    this.#asked.set(sessionId, answer);
    return answer;
  }

  async #help(sessionId: string, path: string): Promise<BlockedAnswer> {
    const { holders, endContainer } = this.#deps;
    let holder: Holder;
    for (let check = 0; check < checks; check += 1) {
      if (check > 0) await delay(betweenChecksMs);
      holder = await this.#findHolder(sessionId, path);
      if (holder !== 'container') break;
    }
    if (holder === 'container') return { isHelped: endContainer(sessionId) };
    const name = typeof holder === 'object' ? await holders.nameOf(holder.pid) : undefined;
    const who = typeof holder === 'object' ? `pid ${holder.pid}, ${name ?? 'unknown'}` : undefined;
    this.#log(sessionId, who ?? 'unknown');
    const subject =
      who === undefined ? 'A program that cannot be found out' : `Another program (${who})`;
    return { isHelped: false, holder: `${subject} holds inbound.db of this conversation.` };
  }

  async #findHolder(sessionId: string, path: string): Promise<Holder> {
    const { holders, isOfContainer } = this.#deps;
    const { pids, hasUnnamed } = await holders.find(path);
    let isContainers = false;
    let other: number | undefined;
    for (const pid of pids) {
      if (await isOfContainer(sessionId, pid)) isContainers = true;
      else other ??= pid;
    }
    if (isContainers) return 'container';
    if (other !== undefined) return { pid: other };
    if (!hasUnnamed) return undefined;
    const isHeld = await holders.isHeldByOneOf(path, (pid) => isOfContainer(sessionId, pid));
    return isHeld ? 'container' : 'unnamed';
  }

  #log(sessionId: string, holder: string): void {
    const logged = `${sessionId} ${holder}`;
    if (this.#logged === logged) return;
    this.#logged = logged;
    this.#deps.log.warn({ sessionId, holder }, 'inbound database locked by another program');
  }
}
