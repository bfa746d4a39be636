/**
 * Says back what it is told, and acts out failures, so that anyone can rehearse them without a model. Strictly in
 * order, and every reply goes with the acks: a turn that is cut off has said nothing.
 */
import { isoAt } from '../../shared/base/clock.js';
import { Deadline, delay } from '../../shared/base/lifecycle.js';
import type { ProviderOptions } from '../../shared/protocol/provider-table.js';
import type { Destination, InboundMessage } from '../../shared/protocol/session-message.js';
import { parseEchoCommand, type EchoCommand, type NoteCommand } from './echo-command.js';
import type {
  AgentPort,
  Provider,
  ProviderContext,
  ProviderDefinition,
  Reply,
  TurnInput,
  TurnResult,
} from './provider.js';

/** The result of one message. */
type Answer =
  | { readonly kind: 'replies'; readonly replies: readonly Reply[] }
  | { readonly kind: 'failed'; readonly reason: string };

export type EchoProviderDeps = Pick<ProviderContext, 'heartbeatIntervalMs' | 'exit' | 'clock'> &
  ProviderOptions<'echo'>;

export const echoDefinition: ProviderDefinition<'echo'> = {
  create: ({ heartbeatIntervalMs, exit, clock }, options) =>
    new EchoProvider({ heartbeatIntervalMs, exit, clock, ...options }),
};

export class EchoProvider implements Provider {
  readonly #deps: EchoProviderDeps;

  constructor(deps: EchoProviderDeps) {
    this.#deps = deps;
  }

  async runTurn(turn: TurnInput, control: AgentPort): Promise<TurnResult> {
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

  #answer(message: InboundMessage, turn: TurnInput, control: AgentPort): Promise<Answer> {
    const { content } = message;
    switch (content.kind) {
      case 'chat':
        return this.#follow(message, content.chat.text, turn, control);
      case 'task':
        return this.#follow(message, content.task.text, turn, control);
      case 'webhook': {
        const { source, event } = content.webhook;
        return this.#echo(message, event === undefined ? source : `${source} ${event}`);
      }
      case 'system':
        // The answer to an action or a question, which the next message would otherwise find as context.
        if (/^(?:action|question)\./.test(content.system.event))
          return say(message, content.system.text);
        // Answering a notice about a reply that could not be delivered would make the next such notice.
        return Promise.resolve({ kind: 'replies', replies: [] });
    }
  }

  #follow(
    message: InboundMessage,
    text: string,
    turn: TurnInput,
    control: AgentPort,
  ): Promise<Answer> {
    const command = parseEchoCommand(text);
    return command.kind === 'note'
      ? this.#note(message, command, control)
      : this.#obey(message, command, turn, control);
  }

  #note(message: InboundMessage, command: NoteCommand, { state }: AgentPort): Promise<Answer> {
    const { verb, key } = command;
    if (verb === 'remember') {
      state.set(key, command.value);
      return this.#echo(message, command.value);
    }
    if (verb === 'forget') {
      state.delete(key);
      return this.#echo(message, key);
    }
    const value = state.get(key);
    if (value === undefined) return say(message, `I remember nothing of ${key}.`);
    return this.#echo(message, value);
  }

  async #obey(
    message: InboundMessage,
    command: Exclude<EchoCommand, NoteCommand>,
    turn: TurnInput,
    control: AgentPort,
  ): Promise<Answer> {
    switch (command.kind) {
      case 'say':
        return this.#echo(message, command.text);
      case 'sleep':
        await this.#sleep(command.ms, control);
        return this.#echo(message, command.text);
      case 'quiet':
        control.progress(command.ms);
        await delay(command.ms, control.signal);
        control.signal.throwIfAborted();
        control.progress();
        return this.#echo(message, command.text);
      case 'burst':
        return this.#echo(message, ...countTo(command.count).map(String));
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
        return sendTo(message, command, turn, control);
      case 'action':
        return ask(message, command.name, command.parameters, control);
      case 'usage':
        return say(message, command.sentence);
    }
  }

  #echo(message: InboundMessage, ...texts: readonly string[]): Promise<Answer> {
    return say(message, ...texts.map((text) => `${this.#deps.prefix}${text}`));
  }

  /** A long sleep is alive, and shows it. */
  async #sleep(ms: number, control: AgentPort): Promise<void> {
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
  { tools }: AgentPort,
): Promise<Answer> {
  tools.request(message.id, { action, parameters });
  return Promise.resolve({ kind: 'replies', replies: [] });
}

function sendTo(
  message: InboundMessage,
  { destination: name, text }: Extract<EchoCommand, { kind: 'send' }>,
  { destinations }: TurnInput,
  port: AgentPort,
): Promise<Answer> {
  const destination = destinations.find((candidate) => candidate.name === name);
  if (destination === undefined) return say(message, unknownDestination(name, destinations));
  const { channelType, platformId } = destination;
  if (channelType === null || platformId === null) {
    const parameters = { to: name, text };
    return ask(message, 'send_to_agent', parameters, port);
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
