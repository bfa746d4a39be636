/**
 * Decides what follows a send, for replies and for the daemon's own notices alike: whether it may begin, and what its
 * outcome means. Pure: callers read the facts and write what was decided.
 */
import type { ChatOut } from '../../../shared/protocol/session-message.js';
import type { ChannelFacts, SendOutcome } from '../../channels/channel.js';
import { planRetry, type RetryLimits } from '../../sessions/retry-policy.js';

/**
 * Decides on a send whose outcome is not known, on a channel where a repeat would show: sent again, saying that it may
 * be a repeat, or held for the operator.
 */
export type UnknownSends = 'repeat' | 'hold';

/** The facts that are known of a message before it is sent. */
export interface BeforeSend {
  /** A send of it was begun, and its outcome never noted. */
  readonly wasBegun: boolean;
  /** The outcome of an earlier send is not known. */
  readonly maybeSent: boolean;
  /** See wouldShowTwice. */
  readonly showsTwice: boolean;
  /** The setting of its channel. */
  readonly unknownSends: UnknownSends;
}

export type SendPlan =
  /** `isRepeat`: it may have arrived before, and its text has to say so. */
  | { readonly kind: 'send'; readonly isRepeat: boolean }
  /** The message may have arrived, and is not sent again by itself. `reason`: half a sentence. */
  | { readonly kind: 'hold'; readonly reason: string };

/** Decides whether a message is sent now. A send that was interrupted is held where the setting says so. */
export function planSend({ wasBegun, maybeSent, showsTwice, unknownSends }: BeforeSend): SendPlan {
  if (!showsTwice) return { kind: 'send', isRepeat: false };
  if (!wasBegun || unknownSends === 'repeat') {
    return { kind: 'send', isRepeat: wasBegun || maybeSent };
  }
  const reason =
    'the daemon stopped while it was being sent: it may have arrived, and is not sent again by itself';
  return { kind: 'hold', reason };
}

/** The facts that are known of a message after one attempt to send it. */
export interface AfterSend {
  readonly outcome: SendOutcome;
  /** How many attempts had failed before this one. */
  readonly failures: number;
  /** Asked for after a failure only. */
  readonly limits: () => RetryLimits;
  /** The message may have arrived before this attempt already. */
  readonly isRepeat: boolean;
  /** See wouldShowTwice. */
  readonly showsTwice: boolean;
  /** The setting of its channel. */
  readonly unknownSends: UnknownSends;
  /** In [0, 1): spreads equal waits. */
  readonly chance: () => number;
}

export type SendVerdict =
  | { readonly kind: 'delivered'; readonly platformMessageId: string | null }
  /** To be sent when somebody listens; this was no failure. */
  | { readonly kind: 'await-listener'; readonly maybeSent: boolean }
  /** `failures`: with this one. `waitMs`: from now, in milliseconds. */
  | {
      readonly kind: 'retry';
      readonly failures: number;
      readonly waitMs: number;
      readonly maybeSent: boolean;
      readonly reason: string;
    }
  | { readonly kind: 'give-up'; readonly maybeSent: boolean; readonly reason: string };

/** A platform's wish to be left alone is heeded up to a day. */
const longestWishMs = 24 * 60 * 60 * 1_000;

type Failure = Pick<
  Extract<SendOutcome, { kind: 'failed' }>,
  'reason' | 'retryable' | 'retryAfterMs'
> & { readonly maybeSent: boolean };

/** Decides what an outcome means. `maybeSent` in the verdict: the message may have arrived. */
export function judgeOutcome(facts: AfterSend): SendVerdict {
  const { outcome, isRepeat, showsTwice, unknownSends } = facts;
  switch (outcome.kind) {
    case 'sent':
      return { kind: 'delivered', platformMessageId: outcome.platformMessageId };
    case 'nobody-listening':
      return { kind: 'await-listener', maybeSent: isRepeat };
    case 'failed':
      return judgeFailure(facts, { ...outcome, maybeSent: isRepeat });
    case 'unknown': {
      const { reason } = outcome;
      // If a repeat does no harm, it is a failure like others.
      if (!showsTwice) return judgeFailure(facts, { reason, retryable: true, maybeSent: isRepeat });
      return judgeFailure(facts, {
        reason: `${reason}: it may have arrived`,
        retryable: unknownSends === 'repeat',
        maybeSent: true,
      });
    }
  }
}

function judgeFailure({ failures: before, limits, chance }: AfterSend, failure: Failure) {
  const { reason, maybeSent } = failure;
  const failures = before + 1;
  const plan = planRetry(failures, limits(), chance());
  if (!failure.retryable || plan.kind === 'give-up') {
    return { kind: 'give-up', maybeSent, reason } as const;
  }
  const waitMs = Math.max(plan.waitMs, heedWish(failure.retryAfterMs ?? 0));
  return { kind: 'retry', failures, waitMs, maybeSent, reason } as const;
}

/** Platforms name all sorts of times. */
function heedWish(retryAfterMs: number): number {
  return Number.isNaN(retryAfterMs) ? 0 : Math.min(retryAfterMs, longestWishMs);
}

/** Whether sending it twice does harm: an edit or a reaction only does again what it has done. */
export function wouldShowTwice(
  channel: Pick<ChannelFacts, 'sendsAreIdempotent'>,
  operation: ChatOut['operation'],
): boolean {
  return !channel.sendsAreIdempotent && operation === 'post';
}

/** A text that may have arrived before, saying so. */
export function asRepeatText(text: string): string {
  return `(Sending this was interrupted before, so it may be a repeat.)\n${text}`;
}
