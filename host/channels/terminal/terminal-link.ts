import type { Socket } from 'node:net';
import { BerthError } from '../../../shared/base/errors.js';
import type { NewId } from '../../../shared/base/ids.js';
import type { LineSplitter } from './ndjson.js';
import type { RecentIds } from './recent-ids.js';
import {
  encodeLine,
  maxClientLineBytes,
  parseServerLine,
  type ErrorLine,
  type ServerLine,
} from './terminal-protocol.js';

export interface MessageToSend {
  readonly platformId: string;
  readonly threadId?: string | null;
  readonly sender?: string;
  readonly text: string;
  /** Sent again under the same id, it is taken once. */
  readonly id?: string;
}

export type AckLine = Extract<ServerLine, { type: 'ack' }>;

export interface TerminalLinkDeps {
  readonly socket: Socket;
  readonly splitter: LineSplitter;
  /** The messageIds of what was received before. */
  readonly received: RecentIds;
  readonly newId: NewId;
}

interface PendingAck {
  readonly resolve: (answer: AckLine | ErrorLine) => void;
  readonly reject: (error: BerthError) => void;
}

/** A connection to the daemon. */
export class TerminalLink {
  readonly #deps: TerminalLinkDeps;
  /** In the order of sending, by the message's id. */
  readonly #pending = new Map<string, PendingAck[]>();
  readonly #lines: ServerLine[] = [];
  #wake: (() => void) | undefined;
  #isClosing = false;
  #isOver = false;

  constructor(deps: TerminalLinkDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { socket, splitter } = this.#deps;
    socket.on('data', (chunk: Buffer) => {
      for (const item of splitter.push(chunk)) if (item.kind === 'line') this.#take(item.text);
    });
    // Whatever broke it, `close` follows; what it means for those who wait is the same.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#isOver = true;
      for (const one of [...this.#pending.values()].flat()) one.reject(connectionBroke());
      this.#pending.clear();
      this.#wake?.();
    });
  }

  /**
   * The ack, once the message is on disk, or the error that says why it was not taken.
   * Throws daemon_not_running when the connection breaks first: nobody knows then, send it again under its id.
   */
  send(message: MessageToSend): Promise<AckLine | ErrorLine> {
    return new Promise((resolve, reject) => {
      const id = message.id ?? this.#deps.newId('m');
      this.post({ ...message, id });
      this.#pending.set(id, [...(this.#pending.get(id) ?? []), { resolve, reject }]);
    });
  }

  /** As send, but the answer is only seen among the events. Throws daemon_not_running or invalid_input (too long). */
  post(message: MessageToSend & { readonly id: string }): void {
    this.#write(encodeLine({ type: 'message', ...message }));
  }

  /** Replies that were kept come now. Throws as post. */
  subscribe(platformId: string): void {
    this.#write(encodeLine({ type: 'subscribe', platformId }));
  }

  /**
   * All that the daemon says, in order, for one reader; what was received before is left out. Ends after close; throws
   * daemon_not_running when the connection breaks.
   */
  async *events(): AsyncGenerator<ServerLine, void> {
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) yield line;
      else if (this.#isClosing) return;
      else if (this.#isOver) throw connectionBroke();
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Hands over what was written, then closes. */
  async close(): Promise<void> {
    const { socket } = this.#deps;
    this.#isClosing = true;
    this.#wake?.();
    if (socket.closed) return;
    const closed = new Promise<void>((resolve) => socket.once('close', resolve));
    socket.destroySoon();
    await closed;
  }

  #write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (bytes > maxClientLineBytes) {
      throw new BerthError('invalid_input', `The message is too long: ${bytes} bytes.`, {
        next: `Keep it below ${maxClientLineBytes} bytes, or put the text into a file of the agent's folder.`,
        facts: { bytes },
      });
    }
    if (this.#isOver || !this.#deps.socket.writable) throw connectionBroke();
    this.#deps.socket.write(line);
  }

  #take(text: string): void {
    const line = parseServerLine(text);
    if (line === undefined || !this.#isNew(line)) return;
    this.#lines.push(line);
    this.#wake?.();
    if (line.type === 'ack' || line.type === 'error') this.#settle(line);
  }

  #settle(line: AckLine | ErrorLine): void {
    if (typeof line.id !== 'string') return;
    const waiting = this.#pending.get(line.id);
    waiting?.shift()?.resolve(line);
    if (waiting?.length === 0) this.#pending.delete(line.id);
  }

  #isNew(line: ServerLine): boolean {
    const isSpoken = line.type === 'reply' || line.type === 'edit' || line.type === 'react';
    return !isSpoken || this.#deps.received.add(line.messageId);
  }
}

function connectionBroke(): BerthError {
  return new BerthError('daemon_not_running', 'The connection to the daemon broke.', {
    next: 'See `berth status`; start the daemon with `berth start --detach` if it does not run.',
  });
}
