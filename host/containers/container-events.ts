/** Notes what a session's container does: its status and the events that tell of it, in one transaction each. */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import type { EventDetail, EventName } from '../store/session-events.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';

export interface ContainerEventsDeps {
  readonly store: Store;
  readonly clock: Clock;
}

/** So many are read to find what came before the end of the last container. */
const recentEvents = 5;

export class ContainerEvents {
  readonly #deps: ContainerEventsDeps;

  constructor(deps: ContainerEventsDeps) {
    this.#deps = deps;
  }

  /** A container is being started for it. */
  noteStarting(session: Session): void {
    this.#deps.store.transaction(() => {
      this.#deps.store.sessions.setContainerStatus(session.id, 'starting');
      // Nobody waits for a prewarmed one.
      const why = session.status === 'active' ? this.#findWakeReason(session) : undefined;
      if (why !== undefined) this.#add(session, 'session.woken', { why });
    });
  }

  noteRunning(session: Session, detail: Pick<EventDetail, 'containerId' | 'durationMs'>): void {
    this.#deps.store.transaction(() => {
      this.#deps.store.sessions.setContainerStatus(session.id, 'running');
      this.#add(session, 'container.started', detail);
    });
  }

  noteAdopted(sessionId: string, containerId: string): void {
    const { store } = this.#deps;
    store.transaction(() => {
      store.sessions.setContainerStatus(sessionId, 'running');
      const session = store.sessions.find(sessionId);
      if (session !== undefined) this.#add(session, 'container.adopted', { containerId });
    });
  }

  /** Notes nothing where none was known of. `why`: a clause. */
  noteEnded(sessionId: string, why: string): void {
    const { store, clock } = this.#deps;
    store.transaction(() => {
      const session = store.sessions.find(sessionId);
      if (session === undefined || session.containerStatus === 'stopped') return;
      store.sessions.setContainerStatus(sessionId, 'stopped');
      this.#add(session, 'container.ended', { why });
      const wake = store.dueItems.find(sessionId, 'wake');
      if (session.status !== 'active' || (wake !== undefined && wake.dueAt <= isoAt(clock.now())))
        return;
      this.#add(session, 'session.slept', wake === undefined ? {} : { nextAt: wake.dueAt });
    });
  }

  /** Undefined where it was woken already: an earlier start has failed. */
  #findWakeReason({ id, lastActive, createdAt }: Session): string | undefined {
    const { store, clock } = this.#deps;
    const now = isoAt(clock.now());
    const last = store.events
      .listForSession(id, recentEvents)
      .findLast(({ name }) => name !== 'container.ended' && name !== 'session.slept');
    if (last?.name === 'container.failed') return undefined;
    const retryAt = last?.name === 'message.retried' ? (last.detail.nextAt ?? last.at) : undefined;
    // A session that was used since then has tried it already.
    const isRetry = retryAt !== undefined && retryAt >= (lastActive ?? createdAt);
    if (isRetry && retryAt <= now) return 'a message is tried again';
    const isPlanned = store.tasks
      .listForSession(id)
      .some(({ dueAt, pausedAt }) => pausedAt === null && dueAt <= now);
    return isPlanned ? 'the time of a task has come' : 'a message waits';
  }

  #add({ id, messagingGroupId }: Session, name: EventName, detail: EventDetail): void {
    const { store, clock } = this.#deps;
    store.events.add({ name, sessionId: id, messagingGroupId, detail }, isoAt(clock.now()));
  }
}
