import { connect, type Socket } from 'node:net';

import { until } from './waiting.js';

export type RawLine = Readonly<Record<string, unknown>>;

/** A program at the terminal's socket that knows nothing but bytes and lines. */
export class RawTerminal {
  readonly socket: Socket;
  /** Every whole line that came, parsed. */
  readonly lines: RawLine[] = [];
  #rest = '';

  private constructor(socket: Socket) {
    this.socket = socket;
  }

  static async connect(path: string): Promise<RawTerminal> {
    const socket = connect({ path });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    const terminal = new RawTerminal(socket);
    socket.on('error', () => undefined);
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      terminal.#take(text);
    });
    return terminal;
  }

  /** Text or bytes as they are; anything else as a line of JSON. */
  write(data: string | Buffer | object): void {
    const isRaw = typeof data === 'string' || Buffer.isBuffer(data);
    this.socket.write(isRaw ? data : `${JSON.stringify(data)}\n`);
  }

  /** Waits until so many lines of this type have come, and returns them. */
  async waitFor(type: string, count = 1): Promise<readonly RawLine[]> {
    return until(() => {
      const found = this.lines.filter((line) => line['type'] === type);
      if (found.length >= count) return found;
      throw new Error(`${found.length} of ${count} lines of type ${type} came`);
    });
  }

  async close(): Promise<void> {
    if (this.socket.closed) return;
    const closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.socket.destroy();
    await closed;
  }

  #take(text: string): void {
    const parts = (this.#rest + text).split('\n');
    this.#rest = parts.pop() ?? '';
    for (const part of parts) this.lines.push(JSON.parse(part) as RawLine);
  }
}
