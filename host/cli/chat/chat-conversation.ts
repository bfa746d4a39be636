/**
 * A chat as its person sees it, over as many connections as it takes. A message is sent again, under the same
 * id, until it has been dealt with; the daemon takes it once.
 */
import { BerthError, hasCode } from '../../../shared/base/errors.js';
import type { NewId } from '../../../shared/base/ids.js';
import { Deadline, delay } from '../../../shared/base/lifecycle.js';
import type { TerminalClient } from '../../channels/terminal/terminal-client.js';
import type { AckLine, TerminalLink } from '../../channels/terminal/terminal-link.js';
import type {
  ErrorLine,
  ServerLine,
  SpokenLine,
} from '../../channels/terminal/terminal-protocol.js';

export interface ConversationDeps {
  readonly client: TerminalClient;
  readonly newId: NewId;
  readonly platformId: string;
  readonly threadId: string | null;
  readonly sender: string;
  /** How long it tries to reach a daemon that went away; Infinity where a person decides. */
  readonly reconnectMs: number;
}

export type ChatEvent =
  /** `isAnswer`: to a message of ours. */
  | { readonly kind: 'spoken'; readonly line: SpokenLine; readonly isAnswer: boolean }
  /** A message of ours is on disk. */
  | { readonly kind: 'taken' }
  /** A message of ours has been dealt with; `context`: kept, and nobody answers. */
  | { readonly kind: 'finished'; readonly status: 'completed' | 'failed' | 'context' }
  /** A message of ours was not taken, or a line was not understood. */
  | { readonly kind: 'refused'; readonly line: ErrorLine }
  | { readonly kind: 'connection-lost' }
  | { readonly kind: 'connected-again' };

interface OwnMessage {
  readonly id: string;
  readonly text: string;
}

export class Conversation {
  readonly #deps: ConversationDeps;
  readonly #closing = new AbortController();
  /** Messages that have not been dealt with, by our id, in the order of saying. */
  readonly #open = new Map<string, OwnMessage>();
  /** Those of them that are on disk, by the daemon's id. */
  readonly #taken = new Map<string, OwnMessage>();
  /** All that were ever on disk. */
  readonly #own = new Set<string>();
  /** Said before we knew all of ours by name. */
  readonly #unplaced: SpokenLine[] = [];
  /** Messages that were done before we knew them by name. */
  readonly #doneEarly = new Map<string, 'completed' | 'failed'>();
  #link: TerminalLink | undefined;
  #isEnding = false;

  constructor(deps: ConversationDeps) {
    this.#deps = deps;
  }

  /** How many messages are not known to be on disk. */
  get unsent(): number {
    return this.#open.size - this.#taken.size;
  }

  /** The daemon's ids of messages that are on disk and may still be answered. */
  get openIds(): readonly string[] {
    return [...this.#taken.keys()];
  }

  /** How many messages may still be answered. */
  get unfinished(): number {
    return this.#open.size;
  }

  /** Throws as TerminalClient.connect; asks for the replies that were kept. */
  async start(): Promise<void> {
    this.#link = await this.#deps.client.connect();
    if (this.#closing.signal.aborted) await this.#link.close();
    else this.#link.subscribe(this.#deps.platformId);
  }

  /** While there is no connection it is kept. Throws invalid_input for what is too long. */
  say(text: string): void {
    const message: OwnMessage = { id: this.#deps.newId('m'), text };
    try {
      this.#post(message);
    } catch (error) {
      if (!hasCode(error, 'daemon_not_running')) throw error;
    }
    this.#open.set(message.id, message);
  }

  /** Nothing more will be said: the events end when all is dealt with. */
  end(): void {
    this.#isEnding = true;
    this.#closeIfAllIsDone();
  }

  /** For one reader. Ends after close, or after end; throws daemon_not_running when it gives up reconnecting. */
  async *events(): AsyncGenerator<ChatEvent, void> {
    for (;;) {
      try {
        for await (const line of this.#link?.events() ?? []) yield* this.#eventsOf(line);
        return;
      } catch (error) {
        if (!hasCode(error, 'daemon_not_running')) throw error;
      }
      yield { kind: 'connection-lost' };
      if (!(await this.#reconnect())) return;
      yield { kind: 'connected-again' };
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#link?.close();
  }

  /** False when it was closed meanwhile. */
  async #reconnect(): Promise<boolean> {
    const { signal } = this.#closing;
    const deadline = new Deadline(this.#deps.reconnectMs);
    let waitMs = 50;
    while (!signal.aborted) {
      try {
        await this.start();
        for (const message of this.#open.values()) this.#post(message);
        return true;
      } catch (error) {
        if (!hasCode(error, 'daemon_not_running')) throw error;
        if (deadline.remainingMs() === 0) throw gaveUp(error);
      }
      await delay(waitMs, signal);
      waitMs = Math.min(waitMs * 2, 1_000);
    }
    return false;
  }

  #post(message: OwnMessage): void {
    const { platformId, threadId, sender } = this.#deps;
    this.#link?.post({ platformId, threadId, sender, text: message.text, id: message.id });
  }

  *#eventsOf(line: ServerLine): Generator<ChatEvent, void> {
    switch (line.type) {
      case 'ack':
        yield* this.#acked(line);
        break;
      case 'done':
        yield* this.#done(line.messageId, line.status);
        break;
      case 'error':
        // A daemon that is stopping: what it did not take is sent to the next one.
        if (line.code === 'shutting_down') return;
        if (line.id !== undefined) this.#open.delete(line.id);
        if (this.unsent === 0) yield* this.#placeAll();
        yield { kind: 'refused', line };
        break;
      case 'reply':
      case 'edit':
      case 'react':
        if (this.unsent > 0 && !this.#isOwn(line)) this.#unplaced.push(line);
        else yield { kind: 'spoken', line, isAnswer: this.#isOwn(line) };
        break;
    }
    this.#closeIfAllIsDone();
  }

  *#acked(ack: AckLine): Generator<ChatEvent, void> {
    const message = this.#open.get(ack.id ?? '');
    if (message === undefined) return;
    this.#taken.set(ack.messageId, message);
    this.#own.add(ack.messageId);
    yield { kind: 'taken' };
    if (this.unsent === 0) yield* this.#placeAll();
    const early = ack.contextOnly === true ? 'context' : this.#doneEarly.get(ack.messageId);
    this.#doneEarly.delete(ack.messageId);
    if (early !== undefined) yield* this.#finished(ack.messageId, message, early);
  }

  #isOwn({ inReplyTo }: SpokenLine): boolean {
    return inReplyTo !== null && this.#own.has(inReplyTo);
  }

  *#placeAll(): Generator<ChatEvent, void> {
    for (const line of this.#unplaced.splice(0)) {
      yield { kind: 'spoken', line, isAnswer: this.#isOwn(line) };
    }
  }

  *#done(messageId: string, status: 'completed' | 'failed'): Generator<ChatEvent, void> {
    const message = this.#taken.get(messageId);
    if (message !== undefined) yield* this.#finished(messageId, message, status);
    else if (this.unsent > 0) this.#doneEarly.set(messageId, status);
  }

  *#finished(
    messageId: string,
    message: OwnMessage,
    status: 'completed' | 'failed' | 'context',
  ): Generator<ChatEvent, void> {
    this.#taken.delete(messageId);
    this.#open.delete(message.id);
    yield { kind: 'finished', status };
  }

  #closeIfAllIsDone(): void {
    if (this.#isEnding && this.#open.size === 0) void this.close();
  }
}

function gaveUp(cause: BerthError): BerthError {
  return new BerthError('daemon_not_running', 'The daemon went away and did not come back.', {
    next: 'Start it with `berth start --detach`; what was sent before is not lost.',
    cause,
  });
}
