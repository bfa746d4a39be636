import { describe, expect, it } from 'vitest';
import type { SendOutcome } from '../../channels/channel.js';
import { judgeOutcome, planSend, wouldShowTwice, type AfterSend } from './outcome-policy.js';

const day = 24 * 3_600_000;

describe('a message that is to be sent', () => {
  const fresh = { wasBegun: false, maybeSent: false };
  const begun = { wasBegun: true, maybeSent: false };
  const unknown = { wasBegun: false, maybeSent: true };

  it.each([
    { ...fresh, showsTwice: true, unknownSends: 'repeat', isRepeat: false },
    { ...fresh, showsTwice: true, unknownSends: 'hold', isRepeat: false },
    { ...begun, showsTwice: true, unknownSends: 'repeat', isRepeat: true },
    { ...begun, showsTwice: false, unknownSends: 'repeat', isRepeat: false },
    { ...begun, showsTwice: false, unknownSends: 'hold', isRepeat: false },
    { ...unknown, showsTwice: true, unknownSends: 'repeat', isRepeat: true },
    // The decision to send it again stands, whatever the setting is now.
    { ...unknown, showsTwice: true, unknownSends: 'hold', isRepeat: true },
    { ...unknown, showsTwice: false, unknownSends: 'hold', isRepeat: false },
  ] as const)('says that it may be a repeat where one would show: %j', ({ isRepeat, ...facts }) => {
    expect(planSend(facts)).toEqual({ kind: 'send', isRepeat });
  });

  it('is held where a send of it was interrupted, a repeat would show, and the setting says so', () => {
    const facts = { ...begun, showsTwice: true, unknownSends: 'hold' } as const;
    expect(planSend(facts)).toMatchObject({
      kind: 'hold',
      reason: expect.stringContaining('may have arrived') as unknown,
    });
  });

  it('shows twice only as a post on a channel that does not know repeats', () => {
    const shown = (['post', 'edit', 'react'] as const).flatMap((operation) =>
      [true, false].map((sendsAreIdempotent) => wouldShowTwice({ sendsAreIdempotent }, operation)),
    );
    expect(shown).toEqual([false, true, false, false, false, false]);
  });
});

describe('what an attempt means', () => {
  const busy: SendOutcome = { kind: 'failed', reason: 'busy', retryable: true };
  const banned: SendOutcome = { kind: 'failed', reason: 'banned', retryable: false };
  const lost: SendOutcome = { kind: 'unknown', reason: 'reset' };
  const sent: SendOutcome = { kind: 'sent', platformMessageId: 'p-1' };
  const deaf: SendOutcome = { kind: 'nobody-listening' };

  function judge(outcome: SendOutcome, more: Partial<AfterSend> = {}) {
    return judgeOutcome({
      outcome,
      failures: 0,
      limits: () => ({ tries: 3, baseMs: 1_000 }),
      isRepeat: false,
      showsTwice: true,
      unknownSends: 'repeat',
      chance: () => 0.5,
      ...more,
    });
  }

  const mayBe = 'reset: it may have arrived';
  const again = (waitMs: number, more: object = {}): object => ({
    ...{ kind: 'retry', failures: 1, waitMs, maybeSent: false, reason: 'busy' },
    ...more,
  });
  const over = (reason: string, maybeSent = false): object => ({
    kind: 'give-up',
    maybeSent,
    reason,
  });

  it.each<[string, SendOutcome, Partial<AfterSend>, object]>([
    ['sent', sent, {}, { kind: 'delivered', platformMessageId: 'p-1' }],
    ['sent at last', sent, { failures: 9 }, { kind: 'delivered', platformMessageId: 'p-1' }],
    ['nobody there', deaf, {}, { kind: 'await-listener', maybeSent: false }],
    ['no failure', deaf, { failures: 9 }, { kind: 'await-listener', maybeSent: false }],
    ['deaf repeat', deaf, { isRepeat: true }, { kind: 'await-listener', maybeSent: true }],
    ['first failure', busy, {}, again(1_000)],
    ['second failure', busy, { failures: 1 }, again(2_000, { failures: 2 })],
    ['last failure', busy, { failures: 2 }, over('busy')],
    ['more than the limit', busy, { failures: 7 }, over('busy')],
    ['failed repeat', busy, { isRepeat: true }, again(1_000, { maybeSent: true })],
    ['spread', busy, { chance: () => 0 }, again(900)],
    ['wish', { ...busy, retryAfterMs: 5_000 }, {}, again(5_000)],
    ['short wish', { ...busy, retryAfterMs: 5 }, {}, again(1_000)],
    ['endless wish', { ...busy, retryAfterMs: Infinity }, {}, again(day)],
    ['no number', { ...busy, retryAfterMs: Number.NaN }, {}, again(1_000)],
    ['negative', { ...busy, retryAfterMs: -5_000 }, {}, again(1_000)],
    ['wish after the last', { ...busy, retryAfterMs: 5_000 }, { failures: 2 }, over('busy')],
    ['never', banned, {}, over('banned')],
    ['never, as a repeat', banned, { isRepeat: true }, over('banned', true)],
    ['unknown', lost, {}, again(1_000, { maybeSent: true, reason: mayBe })],
    ['unknown at last', lost, { failures: 2 }, over(mayBe, true)],
    ['unknown and held', lost, { unknownSends: 'hold' }, over(mayBe, true)],
    ['no harm', lost, { showsTwice: false }, again(1_000, { reason: 'reset' })],
    [
      'no harm, whatever is set',
      lost,
      { showsTwice: false, unknownSends: 'hold' },
      again(1_000, { reason: 'reset' }),
    ],
    ['no harm at last', lost, { showsTwice: false, failures: 2 }, over('reset')],
  ])('is decided from what is known: %s', (_name, outcome, more, expected) => {
    expect(judge(outcome, more)).toEqual(expected);
  });

  it('asks for limits and chance after a failure only', () => {
    const limits = (): never => {
      throw new Error('asked');
    };
    expect(judge(sent, { limits, chance: limits }).kind).toBe('delivered');
    expect(judge(deaf, { limits, chance: limits }).kind).toBe('await-listener');
  });
});
