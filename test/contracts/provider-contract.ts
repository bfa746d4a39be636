/** States what every provider must keep to, as in container/providers/provider.ts. Run it against each of them. */
import { describe, expect, it } from 'vitest';
import type {
  AgentPort,
  Provider,
  TurnInput,
  TurnMessages,
  TurnResult,
} from '../../container/providers/provider.js';
import type {
  InboundContent,
  InboundMessage,
  SystemOut,
} from '../../shared/protocol/session-message.js';
import { until } from '../fakes/waiting.js';

export interface ProviderCandidate {
  /** A fresh provider that shows a sign of life every 10 ms while it is alive. */
  readonly create: () => Provider;
  /** A text that takes about so many milliseconds to answer. */
  readonly slowText: (ms: number) => string;
}

export function chatContent(text: string): InboundContent {
  const sender = { id: 'u-1', name: 'Ann' };
  return { kind: 'chat', chat: { text, sender, mentioned: true, attachments: [] } };
}

export function turnMessage(id: string, content: InboundContent): InboundMessage {
  const address = { channelType: 'test', platformId: 'chat-1', threadId: null };
  const timestamp = '2026-01-01T00:00:00.000Z';
  return { id, seq: 2, timestamp, status: 'pending', tries: 0, address, content };
}

export function turnInput(...messages: InboundMessage[]): TurnInput {
  return { messages, context: [], prompt: '', destinations: [], routing: null };
}

export class FakeAgentPort implements AgentPort {
  readonly aborting = new AbortController();
  readonly signal = this.aborting.signal;
  progressCount = 0;
  /** The provider's notes, and what it has asked for. */
  readonly notes = new Map<string, string>();
  readonly requests: { readonly inReplyTo: string | null; readonly action: SystemOut }[] = [];
  readonly state: AgentPort['state'] = {
    get: (key) => this.notes.get(key),
    set: (key, value) => void this.notes.set(key, value),
    delete: (key) => void this.notes.delete(key),
  };
  readonly tools: AgentPort['tools'] = {
    request: (inReplyTo, action) => `o-${this.requests.push({ inReplyTo, action })}`,
  };

  progress(): void {
    this.progressCount += 1;
  }

  send(): Promise<string> {
    return Promise.resolve('o-sent');
  }

  takeFollowUps(): TurnMessages {
    return { messages: [], context: [], prompt: '' };
  }
}

export function describeProviderContract(name: string, candidate: ProviderCandidate): void {
  const run = (
    messages: InboundMessage[],
    control: FakeAgentPort = new FakeAgentPort(),
  ): Promise<TurnResult> => candidate.create().runTurn(turnInput(...messages), control);

  describe(`${name} keeps the provider contract`, () => {
    it('answers every chat message in order, or fails it by name', async () => {
      const ids = ['m-1', 'm-2', 'm-3'];
      const messages = ids.map((id) => turnMessage(id, chatContent(`hello ${id}`)));
      const { replies, failures } = await run(messages);
      const failed = failures.map(({ messageId }) => messageId);
      const answered = [...new Set(replies.map(({ inReplyTo }) => inReplyTo))];
      expect([...answered, ...failed].sort()).toEqual(ids);
      expect(answered).toEqual(ids.filter((id) => answered.includes(id)));
    });

    it('ends a turn of every kind of message, and speaks of no others', async () => {
      const messages = [
        turnMessage('m-1', chatContent('hello')),
        turnMessage('m-2', { kind: 'task', task: { text: 'report' } }),
        turnMessage('m-3', { kind: 'webhook', webhook: { source: 'ci', payload: { ok: true } } }),
        turnMessage('m-4', { kind: 'system', system: { event: 'note', text: 'something' } }),
      ];
      const { replies, failures } = await run(messages);
      const named = [
        ...replies.map(({ inReplyTo }) => inReplyTo),
        ...failures.map(({ messageId }) => messageId),
      ];
      expect(['m-1', 'm-2', 'm-3', 'm-4', null]).toEqual(expect.arrayContaining(named));
    });

    it('keeps one turn out of the next', async () => {
      const provider = candidate.create();
      for (const id of ['m-1', 'm-2']) {
        const input = turnInput(turnMessage(id, chatContent('hello')));
        const { replies } = await provider.runTurn(input, new FakeAgentPort());
        expect(new Set(replies.map(({ inReplyTo }) => inReplyTo))).toEqual(new Set([id]));
      }
    });

    it('shows that it is alive during a long turn', async () => {
      const control = new FakeAgentPort();
      await run([turnMessage('m-1', chatContent(candidate.slowText(120)))], control);
      expect(control.progressCount).toBeGreaterThan(3);
    });

    it('ends within a second by throwing when it is aborted in the middle', async () => {
      const control = new FakeAgentPort();
      const messages = [turnMessage('m-1', chatContent(candidate.slowText(60_000)))];
      const ended = expect(run(messages, control)).rejects.toThrow();
      await until(() => {
        expect(control.progressCount).toBeGreaterThan(1);
      });
      const abortedAt = performance.now();
      control.aborting.abort();
      await ended;
      expect(performance.now() - abortedAt).toBeLessThan(1_000);
    });

    it('begins nothing when it is aborted already', async () => {
      const control = new FakeAgentPort();
      control.aborting.abort();
      const messages = [turnMessage('m-1', chatContent(candidate.slowText(60_000)))];
      await expect(run(messages, control)).rejects.toThrow();
    });
  });
}
