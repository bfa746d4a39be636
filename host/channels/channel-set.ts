/** All channels of the daemon. Trouble with one of them leaves the others alone. */
import { BerthError, toBerthError } from '../../shared/base/errors.js';
import { Deadline } from '../../shared/base/lifecycle.js';
import type { Logger } from '../../shared/base/logger.js';
import type { Channel, ChannelEvents } from './channel.js';
import { guardEvents } from './channel-guard.js';

export interface ChannelStatus {
  readonly type: string;
  readonly state: 'stopped' | 'starting' | 'running' | 'failed';
  /** Why it failed. */
  readonly reason?: string;
}

export interface ChannelSetDeps {
  readonly channels: readonly Channel[];
  readonly log: Logger;
  /** The longest that the start of the others waits for one. */
  readonly startTimeoutMs?: number;
}

export class ChannelSet {
  readonly #deps: ChannelSetDeps;
  readonly #states = new Map<string, ChannelStatus>();

  constructor(deps: ChannelSetDeps) {
    this.#deps = deps;
  }

  /** Resolves when each has started, has failed or is late; one that is late may still come up. */
  async start(events: ChannelEvents): Promise<void> {
    const types = this.#deps.channels.map((channel) => channel.type);
    const twice = types.find((type, index) => types.indexOf(type) !== index);
    if (twice !== undefined) throw new BerthError('internal', `Two channels are of type ${twice}.`);
    const guarded = guardEvents(events, this.#deps.log);
    await Promise.all(this.#deps.channels.map((channel) => this.#startOne(channel, guarded)));
  }

  /** Also while it does not run: sending to it is an outcome then, not an error. */
  find(type: string): Channel | undefined {
    return this.#deps.channels.find((channel) => channel.type === type);
  }

  status(): readonly ChannelStatus[] {
    return this.#deps.channels.map(
      ({ type }) => this.#states.get(type) ?? { type, state: 'stopped' },
    );
  }

  /** By type: how each is, or why it is not well. */
  describe(): Readonly<Record<string, string>> {
    return Object.fromEntries(
      this.status().map(({ type, state, reason }) => [type, reason ?? state] as const),
    );
  }

  /** None receives any more; sends go on. */
  refuse(): void {
    for (const channel of this.#deps.channels) {
      try {
        channel.refuse();
      } catch (err) {
        this.#deps.log.warn({ channel: channel.type, err }, 'channel did not refuse');
      }
    }
  }

  /** Stops them side by side; who is late is left behind, and named in the log. */
  async stop(deadline: Deadline): Promise<void> {
    await Promise.all(this.#deps.channels.map((channel) => this.#stopOne(channel, deadline)));
  }

  async #startOne(channel: Channel, events: ChannelEvents): Promise<void> {
    const { log, startTimeoutMs = 10_000 } = this.#deps;
    const { type } = channel;
    this.#states.set(type, { type, state: 'starting' });
    const started = this.#attempt(() => channel.start(events)).then((error) => {
      if (this.#states.get(type)?.state !== 'starting') return;
      if (error === undefined) {
        this.#states.set(type, { type, state: 'running' });
        log.info({ channel: type }, 'channel started');
        return;
      }
      const { code, message } = toBerthError(error);
      this.#states.set(type, { type, state: 'failed', reason: message });
      log.error({ channel: type, code, err: error }, 'channel not started');
    });
    if ((await new Deadline(startTimeoutMs).wait(started)) === 'late') {
      log.warn({ channel: type, waitedMs: startTimeoutMs }, 'channel start takes long');
    }
  }

  async #stopOne(channel: Channel, deadline: Deadline): Promise<void> {
    const { log } = this.#deps;
    const { type } = channel;
    const failed = this.#states.get(type)?.state === 'failed';
    const stopped = this.#attempt(() => channel.stop()).then((err) => {
      if (err !== undefined) log.warn({ channel: type, err }, 'channel stop failed');
    });
    if ((await deadline.wait(stopped)) === 'late') {
      log.warn({ channel: type }, 'channel not stopped in time');
      return;
    }
    if (!failed) this.#states.set(type, { type, state: 'stopped' });
  }

  /** Returns what the work threw, at once or later. */
  async #attempt(work: () => Promise<void>): Promise<unknown> {
    try {
      await work();
      return undefined;
    } catch (error) {
      return error;
    }
  }
}
