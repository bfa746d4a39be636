/**
 * Says in the chats what the host itself has to say. Notices are rows: a restart loses none, and `sending` before a send
 * shows afterwards which one was interrupted.
 */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import type { Logger } from '../../shared/base/logger.js';
import { PollLoop } from '../../shared/base/poll-loop.js';
import { SingleFlight } from '../../shared/base/single-flight.js';
import type { Channel } from '../channels/channel.js';
import { planRetry, type RetryLimits } from '../sessions/retry-policy.js';
import type { Notice } from '../store/notices.js';
import type { Store } from '../store/store.js';
import { asRepeatText, type UnknownSends } from './delivery-policy.js';
import { sendBounded } from './sender.js';

export interface NoticeSenderDeps {
  readonly store: Store;
  readonly findChannel: (channelType: string) => Channel | undefined;
  readonly clock: Clock;
  readonly chance: () => number;
  readonly retry: RetryLimits;
  readonly sendTimeoutMs: number;
  readonly pollIntervalMs: number;
  readonly unknownSendsOf: (channelType: string) => UnknownSends;
  readonly log: Logger;
  /** A notice has been said, or never will be. */
  readonly onSaid: (notice: Notice) => void;
}

/** When nobody listens, a notice waits for `hasten`. */
const untilSomebodyListens = '9999-12-31T23:59:59.999Z';

export class NoticeSender {
  readonly #deps: NoticeSenderDeps;
  readonly #loop: PollLoop;
  /** By channel: one that hangs or throws keeps no other from speaking. */
  readonly #flights: SingleFlight;
  #isStopping = false;

  constructor(deps: NoticeSenderDeps) {
    this.#deps = deps;
    this.#flights = new SingleFlight((channelType) => this.#sayDue(channelType));
    this.#loop = new PollLoop({
      name: 'notices',
      look: () => {
        this.#look();
      },
      intervalMs: deps.pollIntervalMs,
      log: deps.log,
    });
  }

  start(): void {
    this.#loop.start();
  }

  nudge(): void {
    this.#loop.nudge();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#loop.stop();
    await this.#flights.idle();
  }

  #look(): void {
    const { store, clock } = this.#deps;
    for (const channelType of store.notices.listDueChannels(isoAt(clock.now()))) {
      void this.#flights.request(channelType);
    }
  }

  async #sayDue(channelType: string): Promise<void> {
    const { store, clock, log } = this.#deps;
    try {
      for (const notice of store.notices.listDue(isoAt(clock.now()), channelType)) {
        if (this.#isStopping) return;
        await this.#say(notice);
      }
    } catch (err) {
      // The next look tries again.
      log.error({ err, channel: channelType }, 'notices could not be said');
    }
  }

  async #say(notice: Notice): Promise<void> {
    const { findChannel, log } = this.#deps;
    const { channelType } = notice.address;
    const channel = findChannel(channelType);
    if (channel === undefined) {
      log.error({ notice: notice.id, channel: channelType }, 'notice has no channel');
      this.#settle(notice, 'failed');
      return;
    }
    // One channel's notices are said one after the other: what is in `sending` here was left so.
    if (notice.status === 'sending' && this.#isHeld(channel)) {
      log.error({ notice: notice.id }, 'notice was interrupted: it may have been said');
      this.#settle(notice, 'failed');
      return;
    }
    const maybeSent = notice.maybeSent || notice.status === 'sending';
    await this.#send({ ...notice, maybeSent }, channel);
  }

  async #send(notice: Notice, channel: Channel): Promise<void> {
    const { store, sendTimeoutMs, log } = this.#deps;
    const { id, address, inReplyTo, maybeSent } = notice;
    const text = maybeSent && !channel.sendsAreIdempotent ? asRepeatText(notice.text) : notice.text;
    store.notices.begin(id);
    log.debug({ notice: id }, 'notice begun');
    const outcome = await sendBounded(
      channel,
      {
        address,
        messageId: id,
        inReplyTo,
        chat: { operation: 'post', text, files: [] },
        targetPlatformId: null,
        files: [],
      },
      sendTimeoutMs,
    );
    switch (outcome.kind) {
      case 'sent':
        this.#settle(notice, 'sent');
        return;
      case 'nobody-listening':
        store.notices.postpone(notice, untilSomebodyListens);
        return;
      case 'failed':
        this.#postpone(notice, outcome);
        return;
      case 'unknown':
        this.#postpone(
          { ...notice, maybeSent: true },
          { ...outcome, retryable: !this.#isHeld(channel) },
        );
    }
  }

  /** What may have been said is not said again. */
  #isHeld(channel: Channel): boolean {
    return !channel.sendsAreIdempotent && this.#deps.unknownSendsOf(channel.type) === 'hold';
  }

  #postpone(notice: Notice, outcome: { reason: string; retryable: boolean }): void {
    const { store, clock, chance, retry, log } = this.#deps;
    const tries = notice.tries + 1;
    const plan = planRetry(tries, retry, chance());
    if (plan.kind === 'give-up' || !outcome.retryable) {
      log.error({ notice: notice.id, reason: outcome.reason }, 'notice could not be said');
      this.#settle(notice, 'failed');
      return;
    }
    store.notices.postpone({ ...notice, tries }, isoAt(clock.now() + plan.waitMs));
  }

  #settle(notice: Notice, status: 'sent' | 'failed'): void {
    this.#deps.store.notices.settle(notice.id, status);
    this.#deps.onSaid(notice);
  }
}
