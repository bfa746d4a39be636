import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DeliverySetup } from '../../test/fakes/delivery-setup.js';
import { until } from '../../test/fakes/waiting.js';

describe('what the host itself has to say', () => {
  let setup: DeliverySetup;

  beforeEach(() => {
    setup = new DeliverySetup({ sendTimeoutMs: 60_000 });
  });

  afterEach(async () => {
    for (const channel of setup.channels.values()) await channel.stop();
    await setup.delivery.notices.stop();
    setup[Symbol.dispose]();
  });

  function note(id: string, channelType = 'fake', platformId = 'chat-1'): void {
    setup.store.notices.insert(
      {
        id,
        address: { channelType, platformId, threadId: null },
        inReplyTo: 'm-1',
        text: `text of ${id}`,
      },
      setup.clock.iso(),
    );
    setup.delivery.notices.nudge();
  }

  function statuses(): Readonly<Record<string, string>> {
    return Object.fromEntries(setup.notices().map(({ id, status }) => [id, status]));
  }

  async function becomes(expected: Readonly<Record<string, string>>): Promise<void> {
    await until(() => {
      expect(statuses()).toEqual(expected);
    });
  }

  it('is said once, in order, also what waited from before the start', async () => {
    note('n-1');
    note('n-2');
    note('n-1');
    setup.delivery.notices.start();
    await becomes({ 'n-1': 'sent', 'n-2': 'sent' });
    expect(setup.texts()).toEqual(['text of n-1', 'text of n-2']);
    expect(setup.channel.sent[0]).toMatchObject({ messageId: 'n-1', inReplyTo: 'm-1' });
    expect(setup.said).toEqual(['n-1', 'n-2']);
  });

  it('is tried again with growing waits, and given up', async () => {
    setup.channel.alwaysAnswers({ kind: 'failed', reason: 'too fast', retryable: true });
    setup.delivery.notices.start();
    note('n-1');
    for (const tries of [1, 2]) {
      await until(() => {
        expect(setup.channel.sends).toHaveLength(tries);
      });
      expect(setup.store.notices.listDue(setup.clock.iso(), 'fake')).toEqual([]);
      setup.clock.advance(1_000 * tries);
      setup.delivery.notices.nudge();
    }
    await becomes({ 'n-1': 'failed' });
    expect(setup.said).toEqual(['n-1']);
  });

  it('is let wait for as long as the platform asks', async () => {
    setup.channel.willAnswer({
      ...{ kind: 'failed', reason: 'too many requests', retryable: true },
      retryAfterMs: 60_000,
    });
    setup.delivery.notices.start();
    note('n-1');
    await until(() => {
      expect(setup.store.notices.listDue(setup.clock.iso(), 'fake')).toEqual([]);
    });
    expect(setup.store.notices.listDue(setup.clock.iso(59_999), 'fake')).toEqual([]);
    expect(setup.store.notices.listDue(setup.clock.iso(60_000), 'fake')).toHaveLength(1);
  });

  it('is given up at once where there is no channel, or the platform says never', async () => {
    setup.channel.willAnswer({ kind: 'failed', reason: 'banned', retryable: false });
    setup.delivery.notices.start();
    note('n-1');
    note('n-2', 'pigeon');
    await becomes({ 'n-1': 'failed', 'n-2': 'failed' });
    expect(setup.said.toSorted()).toEqual(['n-1', 'n-2']);
  });

  it('waits until somebody listens, however often it was in vain', async () => {
    setup.delivery.notices.start();
    setup.channel.leave('chat-1');
    note('n-1');
    const reschedule = async (sends: number): Promise<void> => {
      setup.store.notices.reschedule('fake', 'chat-1', setup.clock.iso());
      setup.delivery.notices.nudge();
      await until(() => {
        expect(setup.channel.sends).toHaveLength(sends);
        expect(setup.store.notices.listDue(setup.clock.iso(), 'fake')).toEqual([]);
      });
    };
    for (const sends of [1, 2, 3, 4]) await reschedule(sends);
    expect(statuses()).toEqual({ 'n-1': 'pending' });
    expect(setup.store.notices.listDue(setup.clock.iso(365 * 24 * 3_600_000), 'fake')).toEqual([]);
    // In vain was no failure: there are as many tries left as ever.
    setup.channel.willAnswer({ kind: 'failed', reason: 'busy', retryable: true });
    await reschedule(5);
    setup.channel.listen('chat-1');
    await reschedule(6);
    expect(statuses()).toEqual({ 'n-1': 'sent' });
  });

  it('is said by one channel while another hangs, or throws', async () => {
    const hanging = setup.addChannel({ id: 'hanging' });
    hanging.alwaysAnswers({ kind: 'hangs' });
    const broken = setup.addChannel({ id: 'broken' });
    broken.send = (): never => {
      throw new Error('a bug');
    };
    setup.delivery.notices.start();
    note('n-1', 'hanging');
    note('n-2', 'broken');
    note('n-3');
    await becomes({ 'n-1': 'sending', 'n-2': 'pending', 'n-3': 'sent' });
    note('n-4');
    await becomes({ 'n-1': 'sending', 'n-2': 'pending', 'n-3': 'sent', 'n-4': 'sent' });
    expect(hanging.sends).toHaveLength(1);
  });

  const repeat = expect.stringMatching(/may be a repeat.*\ntext of n-1$/s) as unknown;

  it.each([
    { unknownSends: 'repeat', sendsAreIdempotent: true, becomes: 'sent', texts: ['text of n-1'] },
    { unknownSends: 'repeat', sendsAreIdempotent: false, becomes: 'sent', texts: [repeat] },
    { unknownSends: 'hold', sendsAreIdempotent: true, becomes: 'sent', texts: ['text of n-1'] },
    { unknownSends: 'hold', sendsAreIdempotent: false, becomes: 'failed', texts: [] },
  ] as const)(
    'and was interrupted by a crash follows the policy: $unknownSends, idempotent $sendsAreIdempotent',
    async ({ becomes: status, texts, ...options }) => {
      setup[Symbol.dispose]();
      setup = new DeliverySetup(options);
      note('n-1');
      setup.store.notices.begin('n-1');
      setup.delivery.notices.start();
      await becomes({ 'n-1': status });
      expect(setup.texts()).toEqual(texts);
      expect(setup.said).toEqual(['n-1']);
    },
  );

  it('is said again, as a possible repeat, where the channel does not answer', async () => {
    setup.channel.willAnswer({ kind: 'unknown', reason: 'reset' });
    setup.delivery.notices.start();
    note('n-1');
    await becomes({ 'n-1': 'pending' });
    await until(() => {
      expect(setup.channel.sends).toHaveLength(1);
    });
    setup.clock.advance(1_000);
    setup.delivery.notices.nudge();
    await becomes({ 'n-1': 'sent' });
    expect(setup.texts()).toEqual([repeat]);
  });
});
