/**
 * Says back what it is told, and acts out failures, so that anyone can rehearse them without a model. Strictly in
 * order, and every reply goes with the acks: a turn that is cut off has said nothing.
 */
import { isoAt } from '../../shared/base/clock.js';
import { Deadline, delay } from '../../shared/base/lifecycle.js';
import type { Destination, InboundMessage } from '../../shared/protocol/session-message.js';
import { parseEchoCommand, type EchoCommand } from './echo-command.js';
import type {
  Provider,
  ProviderContext,
  Reply,
  TurnControl,
  TurnInput,
  TurnResult,
} from './provider.js';

/** The result of one message. */
type Answer =
  | { readonly kind: 'replies'; readonly replies: readonly Reply[] }
  | { readonly kind: 'failed'; readonly reason: string };

export type EchoProviderDeps = Pick<ProviderContext, 'heartbeatIntervalMs' | 'exit' | 'clock'>;

export class EchoProvider implements Provider {
  readonly #deps: EchoProviderDeps;

  constructor(deps: EchoProviderDeps) {
    this.#deps = deps;
  }

  async runTurn(turn: TurnInput, control: TurnControl): Promise<TurnResult> {
    const replies: Reply[] = [];
    const failures: { messageId: string; reason: string }[] = [];
    for (const message of turn.messages) {
      control.signal.throwIfAborted();
      control.progress();
      const answer = await this.#answer(message, turn, control);
      if (answer.kind === 'replies') replies.push(...answer.replies);
      else failures.push({ messageId: message.id, reason: answer.reason });
    }
    return { replies, failures };
  }

  #answer(message: InboundMessage, turn: TurnInput, control: TurnControl): Promise<Answer> {
    const { content } = message;
    switch (content.kind) {
      case 'chat':
        return this.#obey(message, parseEchoCommand(content.chat.text), turn, control);
      case 'task':
        return this.#obey(message, parseEchoCommand(content.task.text), turn, control);
      case 'webhook': {
        const { source, event } = content.webhook;
        return say(message, `echo: ${event === undefined ? source : `${source} ${event}`}`);
      }
      case 'system':
        // The answer to an action or a question, which the next message would otherwise find as context.
        if (/^(?:action|question)\./.test(content.system.event))
          return say(message, content.system.text);
        // Answering a notice about a reply that could not be delivered would make the next such notice.
        return Promise.resolve({ kind: 'replies', replies: [] });
    }
  }

  async #obey(
    message: InboundMessage,
    command: EchoCommand,
    turn: TurnInput,
    control: TurnControl,
  ): Promise<Answer> {
    switch (command.kind) {
      case 'say':
        return say(message, `echo: ${command.text}`);
      case 'sleep':
        await this.#sleep(command.ms, control);
        return say(message, `echo: ${command.text}`);
      case 'quiet':
        control.progress(command.ms);
        await delay(command.ms, control.signal);
        control.signal.throwIfAborted();
        control.progress();
        return say(message, `echo: ${command.text}`);
      case 'burst':
        return say(message, ...countTo(command.count).map((number) => `echo: ${number}`));
      case 'fail':
        return { kind: 'failed', reason: 'The message asked to fail.' };
      case 'exit':
        return this.#deps.exit(command.code);
      case 'hang':
        return new Promise(() => undefined);
      case 'later': {
        const deliverAfter = isoAt(this.#deps.clock.now() + command.seconds * 1_000);
        const reply = { inReplyTo: message.id, deliverAfter, content: post(command.text) };
        return { kind: 'replies', replies: [reply] };
      }
      case 'send':
        return sendTo(message, command, turn.destinations);
      case 'action':
        return ask(message, command.name, command.parameters);
      case 'usage':
        return say(message, command.sentence);
    }
  }

  /** A long sleep is alive, and shows it. */
  async #sleep(ms: number, control: TurnControl): Promise<void> {
    const end = new Deadline(ms);
    while (end.remainingMs() > 0) {
      await delay(Math.min(end.remainingMs(), this.#deps.heartbeatIntervalMs), control.signal);
      control.signal.throwIfAborted();
      control.progress();
    }
  }
}

function say(message: InboundMessage, ...texts: readonly string[]): Promise<Answer> {
  const replies = texts.map((text): Reply => ({ inReplyTo: message.id, content: post(text) }));
  return Promise.resolve({ kind: 'replies', replies });
}

function ask(
  message: InboundMessage,
  action: string,
  parameters: Record<string, unknown>,
): Promise<Answer> {
  const content: Reply['content'] = { kind: 'system', system: { action, parameters } };
  return Promise.resolve({ kind: 'replies', replies: [{ inReplyTo: message.id, content }] });
}

function sendTo(
  message: InboundMessage,
  { destination: name, text }: Extract<EchoCommand, { kind: 'send' }>,
  destinations: readonly Destination[],
): Promise<Answer> {
  const destination = destinations.find((candidate) => candidate.name === name);
  if (destination === undefined) return say(message, unknownDestination(name, destinations));
  const { channelType, platformId } = destination;
  if (channelType === null || platformId === null) {
    const parameters = { to: name, text };
    return ask(message, 'send_to_agent', parameters);
  }
  const address = { channelType, platformId, threadId: null };
  return Promise.resolve({
    kind: 'replies',
    replies: [{ inReplyTo: null, address, content: post(text) }],
  });
}

function unknownDestination(name: string, destinations: readonly Destination[]): string {
  if (destinations.length === 0) {
    return `There is no destination ${name}: this agent has none at all.`;
  }
  const names = destinations.map((destination) => destination.name).join(', ');
  return `There is no destination ${name}. The destinations are: ${names}.`;
}

function post(text: string): Reply['content'] {
  return { kind: 'chat', chat: { operation: 'post', text, files: [] } };
}

function countTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}
