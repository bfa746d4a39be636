/**
 * Keeps a channel as its row wants it. Level-triggered: `reconcile` compares the row with what runs, and is called by one caller at
 * a time. An instance that was given up hands over nothing any more.
 */
import { BerthError, toBerthError } from '../../../shared/base/errors.js';
import { Deadline } from '../../../shared/base/lifecycle.js';
import type { Logger } from '../../../shared/base/logger.js';
import type {
  Channel,
  ChannelEvents,
  ChannelPort,
  OutboundEvent,
  SendOutcome,
  SettledEvent,
} from '../channel.js';
import {
  planChannel,
  retryDelayMs,
  sourceOf,
  type ActualChannel,
  type DesiredChannel,
  type RetryLimits,
} from './channel-plan.js';
import type { ChannelType } from '../channel-type.js';

export interface ChannelInstanceDeps {
  readonly id: string;
  readonly findType: (type: string) => ChannelType | undefined;
  readonly build: (type: ChannelType, id: string, config: unknown) => Promise<Channel>;
  /** Called when an instance is started, and not before. */
  readonly openEvents: () => ChannelEvents;
  /** The longest that a start or a stop is waited for, in milliseconds. */
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
  readonly retry: RetryLimits;
  /** Reconcile again: a retry is due. */
  readonly onRetryDue: () => void;
  readonly onChange: () => void;
  readonly onRunning: () => void;
  readonly log: Logger;
}

/** An attempt to have it running. */
interface Run {
  readonly madeOf: string;
  channel: Channel | undefined;
  /** Is not to be started any more. */
  isCancelled: boolean;
  /** Nothing that it hands over counts any more. */
  isOver: boolean;
}

const nobody: SendOutcome = { kind: 'nobody-listening' };

export class ChannelInstance implements ChannelPort {
  readonly #deps: ChannelInstanceDeps;
  #desired: DesiredChannel | undefined;
  #actual: ActualChannel = { state: 'stopped' };
  #run: Run | undefined;
  #failures = 0;
  #lastError: string | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #isRefusing = false;

  constructor(deps: ChannelInstanceDeps) {
    this.#deps = deps;
  }

  get id(): string {
    return this.#deps.id;
  }

  get sendsAreIdempotent(): boolean {
    return this.#type()?.sendsAreIdempotent ?? false;
  }

  get wiresItself(): boolean {
    return this.#type()?.wiresItself ?? false;
  }

  get desired(): DesiredChannel | undefined {
    return this.#desired;
  }

  get state(): ActualChannel['state'] {
    return this.#actual.state;
  }

  /** Why its last start failed, also where a later one did not. */
  get lastError(): string | undefined {
    return this.#lastError;
  }

  /** Its row as it is now; undefined: there is none. */
  want(desired: DesiredChannel | undefined): void {
    this.#desired = desired;
  }

  async reconcile(): Promise<void> {
    if (this.#isRefusing) return;
    const desired = this.#desired;
    const step = planChannel(desired, this.#actual);
    if (step === 'none') return;
    if (!this.#isRetryOf(desired)) this.#forgetFailures();
    if (step !== 'start') await this.#giveUp();
    // The daemon may have begun to stop meanwhile.
    if (this.#hasRefused()) return;
    if (desired !== undefined && step !== 'stop') await this.#start(desired);
  }

  #hasRefused(): boolean {
    return this.#isRefusing;
  }

  async send(event: OutboundEvent): Promise<SendOutcome> {
    const channel = this.#running();
    if (channel === undefined) return nobody;
    const outcome = await channel.send(event);
    const successor = this.#running();
    if (outcome.kind !== 'nobody-listening' || successor === undefined || successor === channel) {
      return outcome;
    }
    // The one that runs now has said already that it does.
    return { kind: 'failed', reason: `the channel ${this.id} was replaced`, retryable: true };
  }

  settled(event: SettledEvent): void {
    this.#running()?.settled?.(event);
  }

  /** Receives nothing more, and is not started again. */
  refuse(): void {
    this.#isRefusing = true;
    clearTimeout(this.#retryTimer);
    if (this.#run !== undefined) this.#run.isCancelled = true;
    try {
      this.#run?.channel?.refuse();
    } catch (err) {
      this.#deps.log.warn({ channel: this.id, err }, 'channel did not refuse');
    }
  }

  /** Is for the end of the daemon; an instance that is late is left behind, and named in the log. */
  async stop(deadline: Deadline): Promise<void> {
    this.refuse();
    const run = this.#run;
    const isStopped = run === undefined || (await this.#end(run, deadline));
    if (isStopped && this.#actual.state !== 'failed') this.#become({ state: 'stopped' });
  }

  #type(): ChannelType | undefined {
    return this.#desired === undefined ? undefined : this.#deps.findType(this.#desired.type);
  }

  #running(): Channel | undefined {
    return this.#actual.state === 'running' ? this.#run?.channel : undefined;
  }

  async #start(desired: DesiredChannel): Promise<void> {
    const { startTimeoutMs, log } = this.#deps;
    const madeOf = sourceOf(desired);
    const run: Run = { madeOf, channel: undefined, isCancelled: false, isOver: false };
    this.#run = run;
    this.#become({ state: 'starting', madeOf });
    const started = this.#bringUp(run, desired).then(
      () => {
        this.#noteRunning(run);
      },
      (error: unknown) => this.#noteFailed(run, error),
    );
    if ((await new Deadline(startTimeoutMs).wait(started)) === 'late') {
      log.warn({ channel: this.id, waitedMs: startTimeoutMs }, 'channel start takes long');
    }
  }

  async #bringUp(run: Run, { id, type: name, config }: DesiredChannel): Promise<void> {
    const type = this.#deps.findType(name);
    if (type === undefined) {
      throw new BerthError('not_found', `This Berth has no channel of type ${name}.`);
    }
    const channel = await this.#deps.build(type, id, parseJson(id, config));
    if (run.isCancelled) return;
    run.channel = channel;
    await channel.start(this.#eventsFor(run));
  }

  /** A channel that is late to stop may still hand something over: its platform is told that it was not taken. */
  #eventsFor(run: Run): ChannelEvents {
    const { onInbound, onListening } = this.#deps.openEvents();
    return {
      onInbound: async (event) => {
        if (run.isOver) throw new BerthError('internal', `The channel ${this.id} was stopped.`);
        return await onInbound(event);
      },
      onListening: (chat) => {
        if (!run.isOver) onListening(chat);
      },
    };
  }

  #noteRunning(run: Run): void {
    if (this.#run !== run || run.isCancelled) return;
    this.#failures = 0;
    this.#become({ state: 'running', madeOf: run.madeOf });
    this.#deps.log.info({ channel: this.id }, 'channel started');
    // Later: a send that has just found nobody notes that it waits first.
    setImmediate(this.#deps.onRunning);
  }

  async #noteFailed(run: Run, error: unknown): Promise<void> {
    if (this.#run !== run || run.isCancelled) return;
    const { log, retry, stopTimeoutMs } = this.#deps;
    const { code, message } = toBerthError(error);
    this.#failures += 1;
    this.#lastError = message;
    const retryInMs = retryDelayMs(this.#failures, retry);
    this.#become({ state: 'failed', madeOf: run.madeOf, isRetryDue: false });
    log.error({ channel: this.id, code, err: error, retryInMs }, 'channel not started');
    await this.#end(run, new Deadline(stopTimeoutMs));
    if (this.#run === run) this.#planRetry(retryInMs);
  }

  #planRetry(inMs: number): void {
    if (this.#isRefusing) return;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => {
      if (this.#actual.state !== 'failed') return;
      this.#actual = { ...this.#actual, isRetryDue: true };
      this.#deps.onRetryDue();
    }, inMs);
  }

  /** Ends what runs: it is not wanted any more, as it is. */
  async #giveUp(): Promise<void> {
    clearTimeout(this.#retryTimer);
    const run = this.#run;
    this.#run = undefined;
    this.#become({ state: 'stopped' });
    if (run === undefined) return;
    run.isCancelled = true;
    if (await this.#end(run, new Deadline(this.#deps.stopTimeoutMs))) {
      this.#deps.log.info({ channel: this.id }, 'channel stopped');
    }
  }

  #isRetryOf(desired: DesiredChannel | undefined): boolean {
    if (desired?.enabled !== true || this.#actual.state !== 'failed') return false;
    return this.#actual.madeOf === sourceOf(desired);
  }

  #forgetFailures(): void {
    this.#failures = 0;
    this.#lastError = undefined;
  }

  /** False: it was late. */
  async #end(run: Run, deadline: Deadline): Promise<boolean> {
    const { log } = this.#deps;
    const stopped = stop(run.channel).catch((err: unknown) => {
      log.warn({ channel: this.id, err }, 'channel stop failed');
    });
    const ended = await deadline.wait(stopped);
    run.isOver = true;
    if (ended === 'late') log.warn({ channel: this.id }, 'channel not stopped in time');
    return ended === 'done';
  }

  #become(actual: ActualChannel): void {
    this.#actual = actual;
    this.#deps.onChange();
  }
}

/** Also what it throws at once is a rejection. */
async function stop(channel: Channel | undefined): Promise<void> {
  await channel?.stop();
}

function parseJson(id: string, config: string): unknown {
  try {
    return JSON.parse(config);
  } catch (cause) {
    throw new BerthError('invalid_input', `The config of the channel ${id} is not JSON.`, {
      cause,
    });
  }
}
