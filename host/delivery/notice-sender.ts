/**
 * Says in the chats what the host itself has to say. Notices are rows: a restart loses none, and `sending` before a send
 * shows afterwards which one was interrupted.
 */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import type { Logger } from '../../shared/base/logger.js';
import { PollLoop } from '../../shared/base/poll-loop.js';
import { SingleFlight } from '../../shared/base/single-flight.js';
import type { ChatOut } from '../../shared/protocol/session-message.js';
import type { ChannelPort } from '../channels/channel.js';
import type { RetryLimits } from '../sessions/retry-policy.js';
import type { Notice } from '../store/messages/notices.js';
import type { Store } from '../store/store.js';
import { sendBounded } from './send/attempt.js';
import {
  asRepeatText,
  judgeOutcome,
  planSend,
  wouldShowTwice,
  type BeforeSend,
  type UnknownSends,
} from './send/outcome-policy.js';

export interface NoticeSenderDeps {
  readonly store: Store;
  readonly findChannel: (channelType: string) => ChannelPort | undefined;
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

/** When nobody listens, a notice waits for `reschedule`. */
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
      poll: () => {
        this.#poll();
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

  #poll(): void {
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
      // The next poll tries again.
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
    const plan = planSend({
      // A channel's notices are said one after the other: what is in `sending` here was left so.
      wasBegun: notice.status === 'sending',
      maybeSent: notice.maybeSent,
      ...this.#policyOf(channel),
    });
    if (plan.kind === 'hold') {
      log.error({ notice: notice.id, reason: plan.reason }, 'notice was interrupted');
      this.#settle(notice, 'failed');
      return;
    }
    await this.#send(notice, channel, plan.isRepeat);
  }

  /** A notice is a post. */
  #policyOf(channel: ChannelPort): Pick<BeforeSend, 'showsTwice' | 'unknownSends'> {
    return {
      showsTwice: wouldShowTwice(channel, 'post'),
      unknownSends: this.#deps.unknownSendsOf(channel.id),
    };
  }

  async #send(notice: Notice, channel: ChannelPort, isRepeat: boolean): Promise<void> {
    const { store, clock, chance, retry, sendTimeoutMs, log } = this.#deps;
    const { id, address, inReplyTo, tries } = notice;
    const text = isRepeat ? asRepeatText(notice.text) : notice.text;
    store.notices.begin(id);
    log.debug({ notice: id }, 'notice begun');
    const chat: ChatOut = { operation: 'post', text, files: [] };
    const event = { address, messageId: id, inReplyTo, chat, targetPlatformId: null, files: [] };
    const outcome = await sendBounded(channel, event, sendTimeoutMs);
    const verdict = judgeOutcome({
      outcome,
      failures: tries,
      limits: () => retry,
      isRepeat,
      ...this.#policyOf(channel),
      chance,
    });
    switch (verdict.kind) {
      case 'delivered':
        this.#settle(notice, 'sent');
        return;
      case 'await-listener':
        store.notices.postpone({ ...notice, maybeSent: verdict.maybeSent }, untilSomebodyListens);
        return;
      case 'retry':
        store.notices.postpone(
          { ...notice, tries: verdict.failures, maybeSent: verdict.maybeSent },
          isoAt(clock.now() + verdict.waitMs),
        );
        return;
      case 'give-up':
        log.error({ notice: id, reason: verdict.reason }, 'notice could not be said');
        this.#settle(notice, 'failed');
    }
  }

  #settle(notice: Notice, status: 'sent' | 'failed'): void {
    this.#deps.store.notices.settle(notice.id, status);
    this.#deps.onSaid(notice);
  }
}
