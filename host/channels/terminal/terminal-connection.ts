/**
 * A client of the terminal. Its lines are answered in the order in which they came, a few at a time; while more wait,
 * it is not read. The data that it does not read itself is bounded in size and in time.
 */
import type { Socket } from 'node:net';
import type { Logger } from '../../../shared/base/logger.js';
import { LineSplitter, type LineItem } from './ndjson.js';
import { encodeLine, maxClientLineBytes } from './terminal-protocol.js';

export interface ConnectionLimits {
  /** Lines worked on at once: what comes together is written to a session's file together. */
  readonly linesAtOnce: number;
  /** The same in bytes; one line may go beyond. */
  readonly bytesAtOnce: number;
  /** Bytes kept for a client that does not read; one line may go beyond. */
  readonly unreadBytes: number;
  /** The longest that a client may leave a line unread. */
  readonly writeTimeoutMs: number;
  /** How long a closing connection may take to hand over what is left. */
  readonly closeTimeoutMs: number;
}

export const defaultConnectionLimits: ConnectionLimits = {
  linesAtOnce: 256,
  bytesAtOnce: 4 * 1024 * 1024,
  unreadBytes: 1024 * 1024,
  writeTimeoutMs: 10_000,
  closeTimeoutMs: 1_000,
};

/** The lines that answer one that came. */
export interface Answer {
  readonly lines: readonly string[];
  /** A line that follows these when it can; the answers to later lines do not wait for it. Must not reject. */
  readonly last?: Promise<string>;
}

export interface TerminalConnectionDeps {
  readonly socket: Socket;
  readonly limits: ConnectionLimits;
  readonly log: Logger;
  /** Must not reject. */
  readonly answer: (item: LineItem) => Promise<Answer>;
  /** The client is sent nothing more but the answers to its own lines. */
  readonly onLeave: () => void;
  /** Nothing of it is left. */
  readonly onClosed: () => void;
}

export class TerminalConnection {
  readonly #deps: TerminalConnectionDeps;
  readonly #splitter = new LineSplitter(maxClientLineBytes);
  readonly #waiting: LineItem[] = [];
  /** The writes whose outcome is not known yet. */
  readonly #writes = new Set<(wasTaken: boolean) => void>();
  #working = 0;
  #workingBytes = 0;
  #answers: Promise<void> = Promise.resolve();
  readonly #lastLines = new Set<Promise<void>>();
  #isClosing = false;
  #hasLeft = false;

  constructor(deps: TerminalConnectionDeps) {
    this.#deps = deps;
  }

  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  start(): void {
    const { socket, log, onClosed } = this.#deps;
    socket.on('data', (chunk: Buffer) => {
      this.#take(this.#splitter.push(chunk));
    });
    socket.on('end', () => {
      // The client may have closed both ways: on a Unix socket that is the same, so it is sent its answers at most.
      this.#leave();
      this.#take(this.#splitter.end());
      void this.drain().then(() => this.close());
    });
    socket.on('error', (err) => {
      log.debug({ err }, 'terminal connection broke');
    });
    socket.on('close', () => {
      for (const settle of this.#writes) settle(false);
      this.#leave();
      onClosed();
    });
  }

  /** True when the system took the bytes for the client; false when it never will. */
  write(line: string): Promise<boolean> {
    const { socket, limits, log } = this.#deps;
    if (this.#isClosing || !socket.writable) return Promise.resolve(false);
    if (socket.writableLength > limits.unreadBytes) {
      log.warn({ unreadBytes: socket.writableLength }, 'terminal client does not read, closed');
      const message = 'The connection is closed: the client does not read what it is sent.';
      void this.close(encodeLine({ type: 'error', code: 'too_slow', message }));
      return Promise.resolve(false);
    }
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        log.warn({ waitedMs: limits.writeTimeoutMs }, 'terminal client does not read, closed');
        socket.destroy();
      }, limits.writeTimeoutMs);
      const settle = (wasTaken: boolean): void => {
        clearTimeout(timer);
        this.#writes.delete(settle);
        resolve(wasTaken);
      };
      this.#writes.add(settle);
      this.#cork();
      // A socket that is destroyed while it writes reports no error, so its state is asked as well.
      socket.write(line, (error) => {
        settle(!(error instanceof Error) && !socket.destroyed);
      });
    });
  }

  /** Lines that are written before the event loop goes on go to the system together. */
  #cork(): void {
    const { socket } = this.#deps;
    if (socket.writableCorked > 0) return;
    socket.cork();
    process.nextTick(() => {
      socket.uncork();
    });
  }

  /** Resolves when every line that came is answered. */
  async drain(): Promise<void> {
    while (this.#working > 0) await Promise.all([this.#answers, ...this.#lastLines]);
  }

  /** Hands over what is written, `lastLine` too, then closes; resolves when that is done. */
  async close(lastLine?: string): Promise<void> {
    const { socket, limits } = this.#deps;
    this.#leave();
    if (socket.closed) return;
    const closed = new Promise<void>((resolve) => socket.once('close', resolve));
    if (!this.#isClosing) {
      this.#isClosing = true;
      this.#waiting.length = 0;
      if (lastLine !== undefined && socket.writable) socket.write(lastLine);
      const timer = setTimeout(() => socket.destroy(), limits.closeTimeoutMs);
      socket.once('close', () => {
        clearTimeout(timer);
      });
      socket.destroySoon();
    }
    await closed;
  }

  #leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#deps.onLeave();
  }

  #take(items: readonly LineItem[]): void {
    if (this.#isClosing) return;
    this.#waiting.push(...items);
    this.#pump();
  }

  #pump(): void {
    const { socket, limits } = this.#deps;
    while (this.#working < limits.linesAtOnce && this.#workingBytes < limits.bytesAtOnce) {
      const item = this.#waiting.shift();
      if (item === undefined) break;
      this.#begin(item);
    }
    if (this.#waiting.length > 0) socket.pause();
    else if (socket.isPaused()) socket.resume();
  }

  #begin(item: LineItem): void {
    const bytes = item.kind === 'line' ? Buffer.byteLength(item.text) : 0;
    this.#working += 1;
    this.#workingBytes += bytes;
    const answer = this.#deps.answer(item);
    const end = (): void => {
      this.#working -= 1;
      this.#workingBytes -= bytes;
      this.#pump();
    };
    this.#answers = this.#answers
      .then(() => answer)
      .then(({ lines, last }) => {
        for (const line of lines) void this.write(line);
        if (last === undefined) {
          end();
          return;
        }
        const ended = last.then((line) => {
          void this.write(line);
          this.#lastLines.delete(ended);
          end();
        });
        this.#lastLines.add(ended);
      });
  }
}
