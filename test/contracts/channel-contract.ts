/** States what every channel must do, whatever its platform: the half of the contract that types cannot say. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type {
  Channel,
  ChannelEvent,
  ChannelEvents,
  InboundOutcome,
  OnInbound,
  OutboundEvent,
} from '../../host/channels/channel.js';
import type { ChatOut } from '../../shared/protocol/session-message.js';
import { until } from '../fakes/waiting.js';

/** The platform was told this about a message that it handed over. */
export type Acknowledgement =
  | { readonly kind: 'acknowledged'; readonly messageId: string; readonly isDuplicate: boolean }
  | { readonly kind: 'not-acknowledged' };

/** A person on the platform who reads a chat. */
export interface Peer {
  /** The texts of what was posted, in the order in which it arrived. */
  readonly received: readonly string[];
  /** The platform fails for this person from now on. */
  break(): Promise<void>;
}

/** The platform's side, as a test plays it. */
export interface ChannelHarness {
  /** The instance's own, as it was told. */
  readonly id: string;
  readonly channel: Channel;
  /** Writes in the chat as a person, under the platform's id. */
  write(platformId: string, message: { id: string; text: string }): Promise<Acknowledgement>;
  /** Lets a person come to read the chat. */
  join(platformId: string): Promise<Peer>;
  /** The platform sends things that make no sense; resolves when they were dealt with. */
  sendGarbage(): Promise<void>;
  /** True when the outside can still reach the channel. */
  isReachable(): Promise<boolean>;
  close(): Promise<void>;
}

/** `makeHarness` gives a channel that has not been started. */
export function channelContract(name: string, makeHarness: () => Promise<ChannelHarness>): void {
  describe(`the ${name} channel keeps the channel contract`, () => {
    let harness: ChannelHarness;
    let inbound: ChannelEvent[];
    let onInbound: OnInbound;

    const events: ChannelEvents = {
      onInbound: (event) => {
        inbound.push(event);
        return onInbound(event);
      },
      onListening: () => undefined,
    };

    beforeEach(async () => {
      inbound = [];
      onInbound = acceptAll();
      harness = await makeHarness();
    });

    afterEach(async () => {
      await harness.channel.stop();
      await harness.close();
    });

    it('hands a message over as it was written', async () => {
      await harness.channel.start(events);
      await harness.write('chat', { id: 'p-1', text: 'grüß dich 👋' });
      expect(inbound).toHaveLength(1);
      expect(inbound[0]).toMatchObject({
        address: { channelType: harness.id, platformId: 'chat' },
        platformMessageId: 'p-1',
        text: 'grüß dich 👋',
      });
    });

    it('acknowledges a message only when it is on disk', async () => {
      let reachDisk: (outcome: InboundOutcome) => void = () => undefined;
      const disk = new Promise<InboundOutcome>((resolve) => (reachDisk = resolve));
      onInbound = () => disk;
      await harness.channel.start(events);
      let isAcknowledged = false;
      const written = harness.write('chat', { id: 'p-1', text: 'hi' }).then((answer) => {
        isAcknowledged = true;
        return answer;
      });
      await until(() => {
        expect(inbound).toHaveLength(1);
      });
      for (let turn = 0; turn < 20; turn += 1)
        await new Promise((resolve) => setImmediate(resolve));
      expect(isAcknowledged).toBe(false);
      reachDisk({ kind: 'accepted', messageId: 'm-1' });
      expect(await written).toMatchObject({ kind: 'acknowledged', messageId: 'm-1' });
    });

    it('does not acknowledge a message that could not be written, and goes on', async () => {
      onInbound = () => Promise.reject(new Error('disk on fire'));
      await harness.channel.start(events);
      expect(await harness.write('chat', { id: 'p-1', text: 'hi' })).toEqual({
        kind: 'not-acknowledged',
      });
      onInbound = acceptAll();
      expect(await harness.write('chat', { id: 'p-1', text: 'hi' })).toMatchObject({
        kind: 'acknowledged',
      });
    });

    it('gives a message that comes twice the same platform id, and acknowledges both', async () => {
      onInbound = acceptAll();
      await harness.channel.start(events);
      const first = await harness.write('chat', { id: 'p-1', text: 'hi' });
      const second = await harness.write('chat', { id: 'p-1', text: 'hi' });
      expect(inbound.map((event) => event.platformMessageId)).toEqual(['p-1', 'p-1']);
      expect(first).toEqual({ kind: 'acknowledged', messageId: 'm-p-1', isDuplicate: false });
      expect(second).toEqual({ kind: 'acknowledged', messageId: 'm-p-1', isDuplicate: true });
    });

    it('brings replies to who reads the chat, in order, and to no other chat', async () => {
      await harness.channel.start(events);
      const peer = await harness.join('chat');
      const other = await harness.join('other');
      for (const text of ['one', 'two', 'three']) {
        expect(await harness.channel.send(postTo(harness, 'chat', text))).toMatchObject({
          kind: 'sent',
        });
      }
      await until(() => {
        expect(peer.received).toEqual(['one', 'two', 'three']);
      });
      expect(other.received).toEqual([]);
    });

    it('never says sent where nobody is', async () => {
      await harness.channel.start(events);
      const outcome = await harness.channel.send(postTo(harness, 'nobody-here', 'hello?'));
      expect(outcome.kind).not.toBe('sent');
    });

    it('never says sent where the platform failed, and serves the other chats', async () => {
      await harness.channel.start(events);
      const broken = await harness.join('broken');
      const healthy = await harness.join('healthy');
      await broken.break();
      const outcome = await harness.channel.send(postTo(harness, 'broken', 'hello?'));
      expect(outcome.kind).not.toBe('sent');
      await harness.channel.send(postTo(harness, 'healthy', 'hello!'));
      await until(() => {
        expect(healthy.received).toEqual(['hello!']);
      });
    });

    it('carries edits and reactions out, or fails for good with a reason', async () => {
      await harness.channel.start(events);
      await harness.join('chat');
      const posted = await harness.channel.send(postTo(harness, 'chat', 'tpyo'));
      const target = posted.kind === 'sent' ? posted.platformMessageId : null;
      const changes: ChatOut[] = [
        { operation: 'edit', messageId: 'o-tpyo', text: 'typo' },
        { operation: 'react', messageId: 'o-tpyo', emoji: '👍' },
      ];
      for (const chat of changes) {
        const event = { ...postTo(harness, 'chat', ''), chat, targetPlatformId: target };
        expectDoneOrRefused(await harness.channel.send(event));
      }
    });

    it('fails for good where the message to change is not known', async () => {
      await harness.channel.start(events);
      await harness.join('chat');
      const outcome = await harness.channel.send({
        ...postTo(harness, 'chat', ''),
        chat: { operation: 'edit', messageId: 'o-unknown', text: 'new' },
        targetPlatformId: null,
      });
      expect(outcome).toMatchObject({ kind: 'failed', retryable: false });
    });

    it('lives through bad input', async () => {
      await harness.channel.start(events);
      await harness.sendGarbage();
      expect(inbound).toEqual([]);
      expect(await harness.write('chat', { id: 'p-1', text: 'hi' })).toMatchObject({
        kind: 'acknowledged',
      });
    });

    it('receives nothing after refuse, and still sends', async () => {
      await harness.channel.start(events);
      const peer = await harness.join('chat');
      harness.channel.refuse();
      expect(await harness.write('chat', { id: 'p-1', text: 'too late' })).toEqual({
        kind: 'not-acknowledged',
      });
      expect(inbound).toEqual([]);
      await harness.channel.send(postTo(harness, 'chat', 'goodbye'));
      await until(() => {
        expect(peer.received).toEqual(['goodbye']);
      });
    });

    it('may be sent to before start and after stop, which sends nothing', async () => {
      const event = postTo(harness, 'chat', 'anybody?');
      expect((await harness.channel.send(event)).kind).not.toBe('sent');
      await harness.channel.start(events);
      await harness.join('chat');
      await harness.channel.stop();
      expect((await harness.channel.send(event)).kind).not.toBe('sent');
    });

    it('leaves nothing open after stop, and may be stopped twice', async () => {
      const before = countHandles();
      await harness.channel.start(events);
      await harness.join('chat');
      await harness.write('chat', { id: 'p-1', text: 'hi' });
      await Promise.all([harness.channel.stop(), harness.channel.stop()]);
      await harness.channel.stop();
      expect(await harness.isReachable()).toBe(false);
      await harness.close();
      await until(() => {
        expect(countHandles()).toEqual(before);
      });
    });

    it('may be stopped without having been started', async () => {
      await expect(harness.channel.stop()).resolves.toBeUndefined();
    });
  });
}

/** Takes every message; the same platform id again is a duplicate. */
function acceptAll(): OnInbound {
  const seen = new Set<string>();
  return (event) => {
    const messageId = `m-${event.platformMessageId}`;
    const kind = seen.has(messageId) ? 'duplicate' : 'accepted';
    seen.add(messageId);
    return Promise.resolve({ kind, messageId });
  };
}

function postTo({ id }: ChannelHarness, platformId: string, text: string): OutboundEvent {
  return {
    address: { channelType: id, platformId, threadId: null },
    messageId: `o-${text}`,
    inReplyTo: null,
    chat: { operation: 'post', text, files: [] },
    targetPlatformId: null,
    files: [],
  };
}

function expectDoneOrRefused(outcome: Awaited<ReturnType<Channel['send']>>): void {
  if (outcome.kind === 'sent') return;
  expect(outcome).toMatchObject({ kind: 'failed', retryable: false });
  expect(outcome.kind === 'failed' && outcome.reason).toBeTruthy();
}

/** Sockets, pipes and servers of this process, by kind. */
function countHandles(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) {
    if (/^(Pipe|TCP|TLS|UDP)/.test(kind)) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}
