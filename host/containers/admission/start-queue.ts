/** Decides who may start a container, who has to wait for a place, and which idle container gives its place up. */
import { isoAt, type Clock } from '../../../shared/base/clock.js';
import type { Logger } from '../../../shared/base/logger.js';
import { PollLoop } from '../../../shared/base/poll-loop.js';
import type { Nudges } from '../../sessions/nudges.js';
import { readContainerConfig } from '../../store/container-config.js';
import type { Session } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';
import { Admission, type AdmissionLimits, type Share } from './admission.js';
import type { ObservedContainer } from '../spec/container-runtime.js';
import type { WaitingNotices } from './waiting-notices.js';

/** The containers that the engine runs, as far as they were seen. */
export interface ObservedContainers {
  list(): readonly ObservedContainer[];
  listForSession(sessionId: string): readonly ObservedContainer[];
}

export interface StartQueueDeps extends AdmissionLimits {
  readonly store: Store;
  readonly observed: ObservedContainers;
  readonly notices: WaitingNotices;
  readonly clock: Clock;
  readonly log: Logger;
  /** A session may be the next to start, or has to give up its place. */
  readonly nudges: Pick<Nudges, 'container'>;
}

/** A person who has waited for longer than this is told the place in the queue, in milliseconds. */
const patienceMs = 4_000;
const tellIntervalMs = 1_000;
/** In one go. */
const maxTold = 50;
/** How many idle containers may be on their way out at once. */
const maxLeaving = 4;

export class StartQueue {
  readonly #deps: StartQueueDeps;
  readonly #admission: Admission;
  readonly #teller: PollLoop;
  /** Sessions whose idle containers have to give up their places. */
  readonly #leaving = new Set<string>();
  readonly #told = new Set<string>();

  constructor(deps: StartQueueDeps) {
    this.#deps = deps;
    this.#admission = new Admission(deps);
    this.#teller = new PollLoop({
      name: 'start queue',
      poll: () => this.#tellPlaces(),
      intervalMs: () => (this.#admission.waiting > 0 ? tellIntervalMs : 86_400_000),
      log: deps.log,
    });
  }

  start(): void {
    this.#teller.start();
  }

  async stop(): Promise<void> {
    await this.#teller.stop();
  }

  mustGivePlace(sessionId: string): boolean {
    return this.#leaving.has(sessionId);
  }

  /** The session waits, and is not the next: there is nothing to check. */
  isKeptWaiting(sessionId: string): boolean {
    return this.#admission.isKeptWaiting(sessionId);
  }

  /** False: not now. Throws spec_refused where it never will. */
  admit(session: Session, isPrewarmed: boolean): boolean {
    const share = this.#shareOf(session);
    const isAdmitted = isPrewarmed
      ? this.#admission.admitPrewarmed(share)
      : this.#admission.admit(share);
    if (isAdmitted) this.#told.delete(session.id);
    else if (!isPrewarmed) this.#teller.nudge();
    this.serve();
    return isAdmitted;
  }

  /** The start that was admitted has ended. */
  started(sessionId: string, isRunning: boolean): void {
    this.#admission.started(sessionId, isRunning);
    this.serve();
  }

  /** A pass over the session found that it wants no container to be started. */
  leave(sessionId: string): void {
    this.#told.delete(sessionId);
    this.#admission.leave(sessionId);
  }

  /** Takes over what the engine has listed. */
  sync(): void {
    const running = this.#deps.observed.list().filter(({ state }) => state === 'running');
    for (const container of running) this.#admission.note(this.#shareOfContainer(container));
    this.#admission.keepOnly(new Set(running.map(({ owner }) => owner.sessionId)));
    this.serve();
  }

  /** The session's container is gone. */
  vacated(sessionId: string): void {
    this.#leaving.delete(sessionId);
    this.#admission.release(sessionId);
    this.serve();
  }

  /** A place may have become free, or an idle container may make one: calls whoever is next. */
  serve(): void {
    const next = this.#admission.next();
    if (next?.needsPlace !== true) this.#leaving.clear();
    if (next === undefined) return;
    if (next.needsPlace) this.#makePlace();
    else this.#deps.nudges.container(next.sessionId);
  }

  #makePlace(): void {
    const { nudges, log } = this.#deps;
    for (const id of this.#leaving) if (!this.#hasContainer(id)) this.#leaving.delete(id);
    const wanted = Math.min(this.#admission.waiting, maxLeaving) - this.#leaving.size;
    for (const { id } of this.#listIdle().slice(0, Math.max(0, wanted))) {
      this.#leaving.add(id);
      log.info({ sessionId: id }, 'idle container makes room');
      nudges.container(id);
    }
  }

  #hasContainer(sessionId: string): boolean {
    const containers = this.#deps.observed.listForSession(sessionId);
    return containers.some(({ state }) => state === 'running');
  }

  /** Sessions with a container and nothing to do: the prewarmed ones first, then the least recently used. */
  #listIdle(): readonly Session[] {
    const { store, observed, clock } = this.#deps;
    const now = isoAt(clock.now());
    const idle = observed.list().flatMap(({ state, owner: { sessionId } }) => {
      if (state !== 'running' || this.#leaving.has(sessionId)) return [];
      const wake = store.dueItems.find(sessionId, 'wake');
      const session = store.sessions.find(sessionId);
      const isBusy = wake !== undefined && wake.dueAt <= now;
      return session === undefined || isBusy ? [] : [session];
    });
    return idle.sort((a, b) => lastUse(a).localeCompare(lastUse(b)));
  }

  async #tellPlaces(): Promise<void> {
    const { store, notices, log } = this.#deps;
    if (this.#told.size >= this.#admission.waiting) return;
    const untold = this.#admission
      .listWaiting(patienceMs)
      .filter(({ sessionId }) => !this.#told.has(sessionId));
    for (const { sessionId, place } of untold.slice(0, maxTold)) {
      this.#told.add(sessionId);
      const session = store.sessions.find(sessionId);
      try {
        if (session !== undefined) await notices.tellPlace(session, place);
      } catch (err) {
        log.warn({ err, sessionId }, 'place in the queue not told');
      }
    }
  }

  #shareOfContainer({ owner }: ObservedContainer): Share {
    const session = this.#deps.store.sessions.find(owner.sessionId);
    if (session !== undefined) return this.#shareOf(session);
    const { sessionId, agentGroupId } = owner;
    return { sessionId, agentGroupId, chatId: sessionId, memoryMb: 0 };
  }

  #shareOf(session: Session): Share {
    const { id: sessionId, agentGroupId, messagingGroupId } = session;
    const json = this.#deps.store.agentGroups.find(agentGroupId)?.containerConfig ?? null;
    const { memoryMb } = readContainerConfig(json);
    return { sessionId, agentGroupId, chatId: messagingGroupId ?? sessionId, memoryMb };
  }
}

/** Prewarmed sessions sort before all that were ever used. */
function lastUse({ status, lastActive, createdAt }: Session): string {
  return status === 'warm' ? '' : (lastActive ?? createdAt);
}
