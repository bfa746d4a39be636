/** All channels that rows ask for, each brought about by itself: trouble with one of them leaves the others alone. */
import { BerthError } from '../../../shared/base/errors.js';
import type { Deadline } from '../../../shared/base/lifecycle.js';
import type { Logger } from '../../../shared/base/logger.js';
import type { NewId } from '../../../shared/base/ids.js';
import { SingleFlight } from '../../../shared/base/single-flight.js';
import type { ChannelEvents, ChannelPort } from '../channel.js';
import { guardEvents } from '../channel-guard.js';
import { ChannelInstance } from './channel-instance.js';
import type { ActualChannel, DesiredChannel, RetryLimits } from './channel-plan.js';
import type { ChannelHost, ChannelType } from '../channel-type.js';

export interface ChannelStatus {
  readonly id: string;
  readonly state: ActualChannel['state'] | 'disabled';
  /** Why its last start failed, also where a later one did not. */
  readonly lastError?: string;
}

export interface ChannelSetDeps {
  readonly types: readonly ChannelType[];
  /** Reads the rows. */
  readonly listDesired: () => readonly DesiredChannel[];
  readonly settings: ChannelHost['settings'];
  readonly newId: NewId;
  readonly log: Logger;
  /** Another state than before: `status` tells. */
  readonly onChange: () => void;
  /** The longest that a start, or a stop before another start, is waited for, in milliseconds. */
  readonly startTimeoutMs?: number;
  readonly stopTimeoutMs?: number;
  readonly retry?: RetryLimits;
}

export interface ChannelSetEvents extends ChannelEvents {
  /** A channel runs whose chats need no listener: what was kept for them can be sent. */
  readonly onReachable: (channel: { readonly id: string }) => void;
}

const usualRetry: RetryLimits = { baseMs: 1_000, maxMs: 300_000 };

export class ChannelSet {
  readonly #deps: ChannelSetDeps;
  readonly #instances = new Map<string, ChannelInstance>();
  readonly #flights: SingleFlight;
  #events: ChannelSetEvents | undefined;
  #isRefusing = false;

  constructor(deps: ChannelSetDeps) {
    this.#deps = deps;
    this.#flights = new SingleFlight((id) => this.#reconcile(id));
  }

  /** Resolves when each has started, has failed or is late; one that is late may still come up. */
  async start(events: ChannelSetEvents): Promise<void> {
    this.#events = events;
    this.#readRows();
    await Promise.all([...this.#instances.keys()].map((id) => this.#flights.request(id)));
  }

  /** The rows may have changed. */
  nudge(): void {
    if (this.#events === undefined || this.#isRefusing) return;
    this.#readRows();
    for (const id of this.#instances.keys()) void this.#flights.request(id);
  }

  /** Also while it does not run: sending to it is an outcome then, not an error. Undefined: there is no row. */
  find(id: string): ChannelPort | undefined {
    // A row that was written a moment ago counts.
    if (this.#instances.get(id)?.desired === undefined) this.#readRows();
    const instance = this.#instances.get(id);
    return instance?.desired === undefined ? undefined : instance;
  }

  status(): readonly ChannelStatus[] {
    return [...this.#instances.values()]
      .filter(({ desired }) => desired !== undefined)
      .map(({ id, desired, state, lastError }) => ({
        id,
        state: desired?.enabled === false && state === 'stopped' ? 'disabled' : state,
        ...(lastError === undefined ? {} : { lastError }),
      }));
  }

  /** None receives any more; sends go on. */
  refuse(): void {
    this.#isRefusing = true;
    for (const instance of this.#instances.values()) instance.refuse();
  }

  /** Stops them side by side. */
  async stop(deadline: Deadline): Promise<void> {
    this.refuse();
    await Promise.all([...this.#instances.values()].map((instance) => instance.stop(deadline)));
  }

  async #reconcile(id: string): Promise<void> {
    const instance = this.#instances.get(id);
    if (instance === undefined || this.#isRefusing) return;
    try {
      await instance.reconcile();
    } catch (err) {
      this.#deps.log.error({ channel: id, err }, 'channel not reconciled');
    }
    if (instance.desired === undefined && instance.state === 'stopped') {
      this.#instances.delete(id);
      this.#deps.onChange();
    }
  }

  /** Where they cannot be read now, what was read last counts. */
  #readRows(): void {
    try {
      const rows = new Map(this.#deps.listDesired().map((row) => [row.id, row]));
      const added = [...rows.keys()].filter((id) => !this.#instances.has(id));
      for (const id of added) this.#add(id);
      for (const [id, instance] of this.#instances) instance.want(rows.get(id));
      if (added.length > 0) this.#deps.onChange();
    } catch (err) {
      this.#deps.log.error({ err }, 'channels could not be read');
    }
  }

  #add(id: string): void {
    const { types, settings, newId, log, onChange, retry = usualRetry } = this.#deps;
    const { startTimeoutMs = 10_000, stopTimeoutMs = 5_000 } = this.#deps;
    const findType = (name: string): ChannelType | undefined =>
      types.find(({ type }) => type === name);
    const instance = new ChannelInstance({
      id,
      findType,
      build: (type, ofId, config) => type.build({ id: ofId, settings, newId, log }, config),
      openEvents: () => this.#openEvents(),
      startTimeoutMs,
      stopTimeoutMs,
      retry,
      onRetryDue: () => void this.#flights.request(id),
      onChange,
      onRunning: () => {
        if (findType(instance.desired?.type ?? '')?.hasListeners === false) {
          this.#events?.onReachable({ id });
        }
      },
      log,
    });
    this.#instances.set(id, instance);
  }

  #openEvents(): ChannelEvents {
    if (this.#events === undefined) throw new BerthError('internal', 'No channel is open yet.');
    return guardEvents(this.#events, this.#deps.log);
  }
}
