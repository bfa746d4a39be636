import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

export type WireLine = Readonly<Record<string, unknown>> & { readonly type: string };

/** A program at the terminal's socket that knows nothing of Berth but the documented lines. */
export class TerminalWire implements AsyncDisposable {
  readonly #socket: Socket;
  readonly lines: WireLine[] = [];
  readonly #waiting = new Map<string, ((line: WireLine) => void)[]>();
  /** Resolves when the connection has ended. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket, onLine: (line: WireLine) => void) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        resolve();
      });
    });
    const reader = createInterface({ input: socket });
    reader.on('line', (line) => {
      const parsed = JSON.parse(line) as WireLine;
      this.lines.push(parsed);
      this.#waiting.get(parsed.type)?.shift()?.(parsed);
      onLine(parsed);
    });
    // The reader passes on what its input says.
    for (const one of [socket, reader]) one.on('error', () => undefined);
  }

  static open(
    path: string,
    onLine: (line: WireLine) => void = () => undefined,
  ): Promise<TerminalWire> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new TerminalWire(socket, onLine));
      });
    });
  }

  sendRaw(text: string): void {
    this.#socket.write(text);
  }

  send(line: object): void {
    this.sendRaw(`${JSON.stringify(line)}\n`);
  }

  say(text: string, fields: { platformId?: string; id?: string; threadId?: string } = {}): void {
    this.send({
      type: 'message',
      platformId: 'local',
      threadId: null,
      sender: 'me',
      text,
      ...fields,
    });
  }

  subscribe(platformId: string): void {
    this.send({ type: 'subscribe', platformId });
  }

  of(type: string): readonly WireLine[] {
    return this.lines.filter((line) => line.type === type);
  }

  /** The texts of the replies so far, those of one chat only if it is named. */
  replies(platformId?: string): readonly string[] {
    return this.of('reply')
      .filter((line) => platformId === undefined || line['platformId'] === platformId)
      .map((line) => String(line['text']));
  }

  /** Resolves with the next line of a type, the moment it comes. */
  next(type: string): Promise<WireLine> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(type) ?? [];
      waiting.push(resolve);
      this.#waiting.set(type, waiting);
    });
  }

  /** Resolves when the condition holds; says what had come when it does not in time. */
  async until(condition: () => boolean, timeoutMs = 30_000): Promise<void> {
    const givesUpAt = Date.now() + timeoutMs;
    while (!condition()) {
      if (Date.now() > givesUpAt) {
        throw new Error(`not in ${timeoutMs} ms; came: ${JSON.stringify(this.lines.slice(-20))}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#socket.once('close', () => {
        resolve();
      });
      this.#socket.destroy();
    });
  }
}
