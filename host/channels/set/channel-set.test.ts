import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { FakeChannel } from '../../../test/fakes/fake-channel.js';
import { until } from '../../../test/fakes/waiting.js';
import { newId } from '../../../shared/base/ids.js';
import { Deadline } from '../../../shared/base/lifecycle.js';
import { silentLogger } from '../../../shared/base/logger.js';
import type { Channel, ChannelEvents, OutboundEvent } from '../channel.js';
import type { DesiredChannel } from './channel-plan.js';
import { ChannelSet, type ChannelSetEvents } from './channel-set.js';
import { defineChannelType } from '../channel-type.js';

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

/** Rows in memory, and a type whose instances a test makes. */
class Setup {
  readonly rows = new Map<string, DesiredChannel>();
  /** By id: every instance that was made, the latest last. */
  readonly made = new Map<string, FakeChannel[]>();
  readonly reachable: string[] = [];
  readonly taken: string[] = [];
  /** As it was told, the latest last. */
  readonly told: Record<string, string>[] = [];
  readonly set: ChannelSet;
  make: (id: string, mood: string) => FakeChannel = (id) => new FakeChannel({ id });

  constructor(hasListeners = false) {
    const type = defineChannelType({
      type: 'fake',
      wiresItself: true,
      sendsAreIdempotent: true,
      hasListeners,
      configFor: () => z.strictObject({ mood: z.string().default('good') }),
      build: ({ id }, { mood }): Promise<Channel> => {
        const channel = this.make(id, mood);
        this.made.set(id, [...(this.made.get(id) ?? []), channel]);
        return Promise.resolve(channel);
      },
    });
    this.set = new ChannelSet({
      types: [type],
      listDesired: () => [...this.rows.values()],
      settings: { dataDir: '/nowhere' },
      newId,
      log: silentLogger,
      onChange: () => this.told.push(this.states()),
      startTimeoutMs: 20,
      stopTimeoutMs: 20,
      retry: { baseMs: 5, maxMs: 20 },
    });
  }

  row(id: string, more: Partial<DesiredChannel> = {}): this {
    this.rows.set(id, { id, type: 'fake', config: '{}', enabled: true, ...more });
    return this;
  }

  async start(): Promise<void> {
    const events: ChannelSetEvents = {
      onInbound: (event) => {
        this.taken.push(event.platformMessageId);
        return Promise.resolve({ kind: 'accepted', messageId: 'm-1' });
      },
      onListening: () => undefined,
      onReachable: ({ id }) => this.reachable.push(id),
    };
    await this.set.start(events);
  }

  latest(id: string): FakeChannel {
    return this.made.get(id)!.at(-1)!;
  }

  states(): Record<string, string> {
    return Object.fromEntries(this.set.status().map(({ id, state }) => [id, state]));
  }

  /** Waits for it. */
  async become(states: Record<string, string>): Promise<void> {
    await until(() => {
      expect(this.states()).toEqual(states);
    });
  }

  async send(id: string): Promise<string | undefined> {
    const event: OutboundEvent = {
      address: { channelType: id, platformId: 'chat-1', threadId: null },
      messageId: 'o-1',
      inReplyTo: null,
      chat: { operation: 'post', text: 'hi', files: [] },
      targetPlatformId: null,
      files: [],
    };
    return (await this.set.find(id)?.send(event))?.kind;
  }
}

describe('ChannelSet', () => {
  let setup: Setup;

  afterEach(async () => {
    await setup.set.stop(new Deadline(20));
  });

  it('starts the others when one fails, and keeps the reason', async () => {
    setup = new Setup().row('bad').row('good');
    setup.make = (id) =>
      new FakeChannel(id === 'bad' ? { id, startError: new Error('token refused') } : { id });
    await setup.start();
    expect(setup.set.status()).toEqual([
      { id: 'bad', state: 'failed', lastError: 'token refused' },
      { id: 'good', state: 'running' },
    ]);
    expect(await setup.latest('good').receive({ text: 'hi' })).toMatchObject({
      kind: 'acknowledged',
    });
  });

  it('does not wait for ever for a slow one, which may still come up', async () => {
    setup = new Setup().row('slow').row('good');
    const slow = new SlowChannel({ id: 'slow' });
    setup.make = (id) => (id === 'slow' ? slow : new FakeChannel({ id }));
    await setup.start();
    expect(setup.states()).toEqual({ slow: 'starting', good: 'running' });
    slow.finishStart();
    await setup.become({ slow: 'running', good: 'running' });
  });

  it('tries one that failed again until it starts, and still tells why it had failed', async () => {
    setup = new Setup().row('bad');
    setup.make = (id) => {
      const isThird = (setup.made.get(id)?.length ?? 0) === 2;
      return new FakeChannel(isThird ? { id } : { id, startError: new Error('not yet') });
    };
    await setup.start();
    await setup.become({ bad: 'running' });
    expect(setup.made.get('bad')).toHaveLength(3);
    expect(setup.set.status()).toMatchObject([{ state: 'running', lastError: 'not yet' }]);
  });

  it('starts, changes and ends channels as their rows say, and none of the others', async () => {
    setup = new Setup().row('one').row('two');
    await setup.start();
    setup.row('three').row('two', { config: '{"mood":"new"}' });
    setup.rows.delete('one');
    setup.set.nudge();
    await until(() => {
      expect(setup.states()).toEqual({ two: 'running', three: 'running' });
      expect(setup.made.get('two')).toHaveLength(2);
    });
    setup.row('two', { config: '{"mood":"new"}', enabled: false });
    setup.set.nudge();
    await setup.become({ two: 'disabled', three: 'running' });
    expect(setup.set.find('one')).toBeUndefined();
    expect(setup.made.get('three')).toHaveLength(1);
  });

  it('does not make a channel anew when nothing of its row has changed', async () => {
    setup = new Setup().row('one');
    await setup.start();
    setup.row('one');
    setup.set.nudge();
    setup.row('two');
    setup.set.nudge();
    await setup.become({ one: 'running', two: 'running' });
    expect(setup.made.get('one')).toHaveLength(1);
  });

  it.each<[string, Partial<DesiredChannel>, string]>([
    ['a type that there is not', { type: 'carrier-pigeon' }, 'no channel of type carrier-pigeon'],
    ['a config that does not fit', { config: '{"moood":1}' }, 'it cannot have "moood"'],
    ['a config that is no JSON', { config: '{' }, 'is not JSON'],
  ])(
    'says what is wrong with a row of %s, and starts it once that is right',
    async (_, bad, why) => {
      setup = new Setup().row('odd', bad);
      await setup.start();
      expect(setup.states()).toEqual({ odd: 'failed' });
      expect(setup.set.status()[0]?.lastError).toContain(why);
      setup.row('odd');
      setup.set.nudge();
      await setup.become({ odd: 'running' });
      expect(setup.set.status()[0]?.lastError).toBeUndefined();
    },
  );

  it('finds a channel by its id, also one that does not run: then nobody is listening', async () => {
    setup = new Setup().row('bad').row('off', { enabled: false });
    setup.make = (id) => new FakeChannel({ id, startError: new Error('no') });
    await setup.start();
    for (const id of ['bad', 'off']) {
      expect(setup.set.find(id)).toMatchObject({ id, wiresItself: true, sendsAreIdempotent: true });
      expect(await setup.send(id)).toBe('nobody-listening');
    }
    expect(setup.set.find('unknown')).toBeUndefined();
  });

  it('finds a channel whose row was written a moment ago', async () => {
    setup = new Setup();
    await setup.start();
    setup.row('new');
    expect(await setup.send('new')).toBe('nobody-listening');
  });

  it('tells of every state, also of a channel that is disabled from the beginning', async () => {
    setup = new Setup().row('off', { enabled: false });
    await setup.start();
    setup.row('one');
    setup.set.nudge();
    await setup.become({ off: 'disabled', one: 'running' });
    expect(setup.told).toEqual([
      { off: 'disabled' },
      { off: 'disabled', one: 'stopped' },
      { off: 'disabled', one: 'starting' },
      { off: 'disabled', one: 'running' },
    ]);
  });

  it('tells when a channel runs again, so that what was kept can be sent', async () => {
    setup = new Setup().row('one', { enabled: false });
    await setup.start();
    expect(await setup.send('one')).toBe('nobody-listening');
    expect(setup.reachable).toEqual([]);
    setup.row('one');
    setup.set.nudge();
    await until(() => {
      expect(setup.reachable).toEqual(['one']);
    });
    expect(await setup.send('one')).toBe('sent');
  });

  it('leaves that to the channel where somebody has to listen', async () => {
    setup = new Setup(true).row('one');
    await setup.start();
    await new Promise((resolve) => setImmediate(resolve));
    expect(setup.reachable).toEqual([]);
  });

  it('takes nothing from an instance that was late to stop', async () => {
    setup = new Setup().row('slow');
    const old = new SlowChannel({ id: 'slow' });
    setup.make = (id, mood) => (mood === 'good' ? old : new FakeChannel({ id }));
    await setup.start();
    old.finishStart();
    await setup.become({ slow: 'running' });
    setup.row('slow', { config: '{"mood":"new"}' });
    setup.set.nudge();
    await until(() => {
      expect(setup.made.get('slow')).toHaveLength(2);
    });
    await setup.become({ slow: 'running' });
    expect(await old.receive({ text: 'late', platformMessageId: 'p-old' })).toMatchObject({
      kind: 'not-taken',
    });
    await setup.latest('slow').receive({ text: 'hi', platformMessageId: 'p-new' });
    expect(setup.taken).toEqual(['p-new']);
  });

  it('does not start one that was disabled while it was being made', async () => {
    setup = new Setup().row('slow');
    const slow = new SlowChannel({ id: 'slow' });
    setup.make = () => slow;
    await setup.start();
    setup.row('slow', { enabled: false });
    setup.set.nudge();
    await setup.become({ slow: 'disabled' });
    slow.finishStart();
    await new Promise((resolve) => setImmediate(resolve));
    expect(setup.states()).toEqual({ slow: 'disabled' });
  });

  it('refuses on all, and starts none any more', async () => {
    setup = new Setup().row('one').row('two');
    await setup.start();
    setup.set.refuse();
    for (const id of ['one', 'two']) {
      expect(await setup.latest(id).receive({ text: 'hi' })).toMatchObject({ kind: 'not-taken' });
      expect(await setup.send(id)).toBe('sent');
    }
    setup.row('three');
    setup.set.nudge();
    expect(setup.made.has('three')).toBe(false);
  });

  it('stops within its deadline, although one never stops', async () => {
    setup = new Setup().row('slow').row('good');
    setup.make = (id) => (id === 'slow' ? new SlowChannel({ id }) : new FakeChannel({ id }));
    await setup.start();
    await setup.set.stop(new Deadline(20));
    expect(setup.states()).toEqual({ slow: 'starting', good: 'stopped' });
  });

  it('goes on with the rows that it knows while they cannot be read', async () => {
    setup = new Setup().row('one');
    await setup.start();
    setup.rows.values = (): never => {
      throw new Error('the database is locked');
    };
    setup.set.nudge();
    expect(await setup.send('one')).toBe('sent');
  });
});
