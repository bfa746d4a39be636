import { describe, expect, it } from 'vitest';
import { FakeChannel } from '../../test/fakes/fake-channel.js';
import { Deadline } from '../../shared/base/lifecycle.js';
import { silentLogger } from '../../shared/base/logger.js';
import type { Channel, ChannelEvents } from './channel.js';
import { ChannelSet } from './channel-set.js';
import { until } from '../../test/fakes/waiting.js';

const events: ChannelEvents = {
  onInbound: () => Promise.resolve({ kind: 'accepted', messageId: 'm-1' }),
  onListening: () => undefined,
};

function setOf(...channels: Channel[]): ChannelSet {
  return new ChannelSet({ channels, log: silentLogger, startTimeoutMs: 20 });
}

/** Starts and stops when it is told to. */
class SlowChannel extends FakeChannel {
  finishStart: () => void = () => undefined;

  override start(channelEvents: ChannelEvents): Promise<void> {
    return new Promise((resolve) => {
      this.finishStart = (): void => {
        void super.start(channelEvents).then(resolve);
      };
    });
  }

  override stop(): Promise<void> {
    return new Promise(() => undefined);
  }
}

describe('ChannelSet', () => {
  it('starts the others when one fails, and keeps the reason', async () => {
    const good = new FakeChannel({ type: 'good' });
    const bad = new FakeChannel({ type: 'bad', startError: new Error('token refused') });
    const channels = setOf(bad, good);
    await channels.start(events);
    expect(channels.status()).toEqual([
      { type: 'bad', state: 'failed', reason: 'token refused' },
      { type: 'good', state: 'running' },
    ]);
    expect(await good.receive({ text: 'hi' })).toMatchObject({ kind: 'acknowledged' });
  });

  it('does not wait for ever for a slow one, which may still come up', async () => {
    const slow = new SlowChannel({ type: 'slow' });
    const channels = setOf(slow, new FakeChannel({ type: 'good' }));
    await channels.start(events);
    expect(channels.status().map(({ state }) => state)).toEqual(['starting', 'running']);
    slow.finishStart();
    await until(() => {
      expect(channels.status()[0]).toEqual({ type: 'slow', state: 'running' });
    });
  });

  it('finds a channel by its type, also one that failed', async () => {
    const bad = new FakeChannel({ type: 'bad', startError: new Error('no') });
    const channels = setOf(bad);
    await channels.start(events);
    expect(channels.find('bad')).toBe(bad);
    expect(channels.find('unknown')).toBeUndefined();
  });

  it('refuses on all', async () => {
    const one = new FakeChannel({ type: 'one' });
    const two = new FakeChannel({ type: 'two' });
    const channels = setOf(one, two);
    await channels.start(events);
    channels.refuse();
    expect(await one.receive({ text: 'hi' })).toMatchObject({ kind: 'not-taken' });
    expect(await two.receive({ text: 'hi' })).toMatchObject({ kind: 'not-taken' });
  });

  it('stops within its deadline, although one never stops', async () => {
    const slow = new SlowChannel({ type: 'slow' });
    const channels = setOf(slow, new FakeChannel({ type: 'good' }));
    await channels.start(events);
    await channels.stop(new Deadline(20));
    expect(channels.status().map(({ state }) => state)).toEqual(['starting', 'stopped']);
  });

  it('does not take two channels of one type', async () => {
    const channels = setOf(new FakeChannel(), new FakeChannel());
    await expect(channels.start(events)).rejects.toMatchObject({ code: 'internal' });
  });
});
