/** Says in the chats what the host itself has to say. Notices are rows: a restart loses none. */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import type { Logger } from '../../shared/base/logger.js';
import { PollLoop } from '../../shared/base/poll-loop.js';
import { SingleFlight } from '../../shared/base/single-flight.js';
import type { Channel } from '../channels/channel.js';
import { planRetry, type RetryLimits } from '../sessions/retry-policy.js';
import type { Notice } from '../store/notices.js';
import type { Store } from '../store/store.js';
import { sendBounded } from './sender.js';

export interface NoticeSenderDeps {
  readonly store: Store;
  readonly findChannel: (channelType: string) => Channel | undefined;
  readonly clock: Clock;
  readonly chance: () => number;
  readonly retry: RetryLimits;
  readonly sendTimeoutMs: number;
  readonly pollIntervalMs: number;
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
    const { store, findChannel, sendTimeoutMs, log } = this.#deps;
    const channel = findChannel(notice.address.channelType);
    if (channel === undefined) {
      log.error(
        { notice: notice.id, channel: notice.address.channelType },
        'notice has no channel',
      );
      this.#settle(notice, 'failed');
      return;
    }
    const outcome = await sendBounded(
      channel,
      {
        address: notice.address,
        messageId: notice.id,
        inReplyTo: notice.inReplyTo,
        chat: { operation: 'post', text: notice.text, files: [] },
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
        store.notices.postpone(notice.id, untilSomebodyListens, notice.tries);
        return;
      case 'failed':
        this.#postpone(notice, outcome);
    }
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
    store.notices.postpone(notice.id, isoAt(clock.now() + plan.waitMs), tries);
  }

  #settle(notice: Notice, status: 'sent' | 'failed'): void {
    this.#deps.store.notices.settle(notice.id, status);
    this.#deps.onSaid(notice);
  }
}
