/**
 * Keeps as many sessions prewarmed as each agent group asks for: folder made, container running, waiting for its
 * conversation. A session that does not fit its agent group any more is taken away, and leaves nothing behind.
 */
import type { Clock } from '../../../shared/base/clock.js';
import type { Logger } from '../../../shared/base/logger.js';
import { PollLoop } from '../../../shared/base/poll-loop.js';
import type { Mailbox } from '../../sessions/mailbox/mailbox.js';
import type { Nudges } from '../../sessions/nudges.js';
import type { SessionFolders } from '../../sessions/session-folder.js';
import { SessionLifecycle } from '../../sessions/session-lifecycle.js';
import type { SessionRegistry } from '../../sessions/session-registry.js';
import { settingsKey } from '../../store/agent-groups.js';
import { readContainerConfig } from '../../store/container-config.js';
import type { PrewarmedSession } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';

export interface PrewarmedPoolDeps {
  readonly store: Store;
  readonly sessions: SessionRegistry;
  readonly clock: Clock;
  readonly mailbox: Mailbox;
  readonly folders: SessionFolders;
  readonly log: Logger;
  /** The longest time between two polls, in milliseconds. */
  readonly resyncIntervalMs: number;
  /** How long to wait before another is prewarmed, in milliseconds: starting a container slows all others. */
  readonly refillAfterMs: number;
  /** A session's container is to be started or stopped. */
  readonly nudges: Pick<Nudges, 'container'>;
}

export class PrewarmedPool {
  readonly #deps: PrewarmedPoolDeps;
  readonly #loop: PollLoop;
  readonly #lifecycle: SessionLifecycle;
  #refill: NodeJS.Timeout | undefined;

  constructor(deps: PrewarmedPoolDeps) {
    this.#deps = deps;
    this.#lifecycle = new SessionLifecycle(deps);
    this.#loop = new PollLoop({
      name: 'prewarmed sessions',
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

  /** A session was taken: another is prewarmed when the first message of that one has had its turn. */
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
    const prewarmed = store.sessions.listPrewarmed();
    const unwanted = new Set(prewarmed.map(({ id }) => id));
    for (const group of store.agentGroups.list()) {
      const { warmSessions } = readContainerConfig(group.containerConfig);
      const fitting = prewarmed.filter(
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
    for (const session of prewarmed) if (unwanted.has(session.id)) await this.#takeAway(session);
  }

  /** First its container, then the rest. */
  async #takeAway({ id, status, containerStatus }: PrewarmedSession): Promise<void> {
    const { folders, nudges, log } = this.#deps;
    if (status === 'warm') {
      this.#lifecycle.expire(id, 'not needed any more');
      nudges.container(id);
      // Another poll finds whether its container is gone.
      return;
    }
    if (containerStatus !== 'stopped') return;
    await folders.remove(id);
    this.#lifecycle.remove(id, 'nobody has used it');
    log.debug({ sessionId: id }, 'prewarmed session removed');
  }
}
