/**
 * Keeps as many blank sessions warm as each agent group asks for: folder made, container running, waiting for its
 * conversation. What does not fit its agent group any more is taken away, and leaves nothing behind.
 */
import type { Logger } from '../../../shared/base/logger.js';
import { PollLoop } from '../../../shared/base/poll-loop.js';
import type { Mailbox } from '../../sessions/mailbox/mailbox.js';
import type { Nudges } from '../../sessions/nudges.js';
import type { SessionFolders } from '../../sessions/session-folder.js';
import type { SessionRegistry } from '../../sessions/session-registry.js';
import { settingsKey } from '../../store/agent-groups.js';
import { readContainerConfig } from '../../store/container-config.js';
import type { PrewarmedSession } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';

export interface WarmPoolDeps {
  readonly store: Store;
  readonly sessions: SessionRegistry;
  readonly mailbox: Mailbox;
  readonly folders: SessionFolders;
  readonly log: Logger;
  /** The longest time between two looks, in milliseconds. */
  readonly resyncIntervalMs: number;
  /** How long to wait before another is warmed, in milliseconds: starting a container slows all others. */
  readonly refillAfterMs: number;
  /** A session's container is to be started or stopped. */
  readonly nudges: Pick<Nudges, 'container'>;
}

export class WarmPool {
  readonly #deps: WarmPoolDeps;
  readonly #loop: PollLoop;
  #refill: NodeJS.Timeout | undefined;

  constructor(deps: WarmPoolDeps) {
    this.#deps = deps;
    this.#loop = new PollLoop({
      name: 'warm sessions',
      poll: () => this.#poll(),
      intervalMs: deps.resyncIntervalMs,
      log: deps.log,
    });
  }

  start(): void {
    this.#loop.start();
  }

  /** An agent group has changed. */
  nudge(): void {
    this.#loop.nudge();
  }

  /** One was taken: another is warmed when the first message of that one has had its turn. */
  noteTaken(): void {
    clearTimeout(this.#refill);
    this.#refill = setTimeout(() => {
      this.nudge();
    }, this.#deps.refillAfterMs);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#refill);
    await this.#loop.stop();
  }

  async #poll(): Promise<void> {
    const { store, nudges } = this.#deps;
    const blanks = store.sessions.listPrewarmed();
    const unwanted = new Set(blanks.map(({ id }) => id));
    for (const group of store.agentGroups.list()) {
      const { warmSessions } = readContainerConfig(group.containerConfig);
      const fitting = blanks.filter(
        ({ agentGroupId, madeFor, status }) =>
          agentGroupId === group.id && madeFor === settingsKey(group) && status === 'warm',
      );
      for (const { id } of fitting.slice(0, warmSessions)) unwanted.delete(id);
      for (const { id, containerStatus } of fitting.slice(0, warmSessions)) {
        if (containerStatus === 'stopped') nudges.container(id);
      }
      for (let count = fitting.length; count < warmSessions; count += 1) {
        const { id } = this.#deps.sessions.prewarm(group);
        await this.#deps.mailbox.ensure(id);
        nudges.container(id);
      }
    }
    for (const blank of blanks) if (unwanted.has(blank.id)) await this.#takeAway(blank);
  }

  /** First its container, then the rest. */
  async #takeAway({ id, status, containerStatus }: PrewarmedSession): Promise<void> {
    const { store, folders, nudges, log } = this.#deps;
    if (status === 'warm') {
      store.sessions.setStatus(id, 'closed', 'not needed any more');
      nudges.container(id);
      // Another look finds whether its container is gone.
      return;
    }
    if (containerStatus !== 'stopped') return;
    await folders.remove(id);
    store.sessions.delete(id);
    log.debug({ sessionId: id }, 'blank session removed');
  }
}
