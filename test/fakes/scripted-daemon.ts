import type { InboundEvent, InboundOutcome, OutboundEvent } from '../../host/channels/channel.js';
import { TerminalChannel } from '../../host/channels/terminal/terminal-channel.js';
import { newId } from '../../shared/base/ids.js';
import { silentLogger } from '../../shared/base/logger.js';

/** A terminal channel at a real socket, behind which a test plays router and delivery. */
export class ScriptedDaemon {
  readonly socketPath: string;
  /** Every message that came, over all restarts. */
  readonly inbound: InboundEvent[] = [];
  /** The chats on which somebody began to listen. */
  readonly listening: string[] = [];
  /** Called after each ack. At first it echoes and is done. */
  answer: (event: InboundEvent, messageId: string) => Promise<void>;
  /** Called before each ack. */
  beforeAck: (event: InboundEvent, messageId: string) => Promise<void> = () => Promise.resolve();
  /** The answer of the router; undefined: taken, and known when it comes again. */
  outcome: InboundOutcome | undefined;
  readonly #taken = new Set<string>();
  #channel: TerminalChannel | undefined;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
    this.answer = (event, messageId) => this.echo(event, messageId);
  }

  async start(): Promise<void> {
    this.#channel = new TerminalChannel({
      id: 'terminal',
      place: { path: this.socketPath, isHomesOwn: true },
      newId,
      log: silentLogger,
      drainTimeoutMs: 10,
    });
    await this.#channel.start({
      onInbound: (event) =>
        event.type === 'message'
          ? this.#take(event)
          : Promise.reject(new Error(`the terminal knows no ${event.type}`)),
      onListening: ({ platformId }) => this.listening.push(platformId),
    });
  }

  refuse(): void {
    this.#channel?.refuse();
  }

  async stop(): Promise<void> {
    await this.#channel?.stop();
  }

  async echo(event: InboundEvent, messageId: string): Promise<void> {
    await this.reply(`echo: ${event.text}`, messageId);
    this.done(messageId);
  }

  /** Throws where nobody listens. */
  async reply(
    text: string,
    inReplyTo: string | null,
    files: OutboundEvent['files'] = [],
  ): Promise<void> {
    const outcome = await this.#channel?.send({
      address,
      messageId: newId('o'),
      inReplyTo,
      chat: { operation: 'post', text, files: [] },
      targetPlatformId: null,
      files,
    });
    if (outcome?.kind !== 'sent') throw new Error(`the reply was not sent: ${outcome?.kind}`);
  }

  done(messageId: string, status: 'completed' | 'failed' = 'completed'): void {
    this.#channel?.settled({ address, messageId, status });
  }

  /** The ids of the messages that were taken. */
  get taken(): readonly string[] {
    return [...this.#taken];
  }

  async #take(event: InboundEvent): Promise<InboundOutcome> {
    this.inbound.push(event);
    if (this.outcome !== undefined) return this.outcome;
    const messageId = `m-${event.platformMessageId}`;
    const kind = this.#taken.has(messageId) ? 'duplicate' : 'accepted';
    this.#taken.add(messageId);
    await this.beforeAck(event, messageId);
    setImmediate(() => void this.answer(event, messageId));
    return { kind, messageId };
  }
}

const address = { channelType: 'terminal', platformId: 'local', threadId: null };
