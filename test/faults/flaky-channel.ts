/** A channel to the platform of flaky-platform.ts, which lives in the test: it survives the daemon, and remembers. */
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type {
  Channel,
  ChannelEvents,
  OutboundEvent,
  SendOutcome,
} from '../../host/channels/channel.js';
import type { ChannelLine, PlatformLine } from './flaky-platform.js';

export interface FlakyChannelDeps {
  readonly id: string;
  readonly socketPath: string;
}

interface WaitingSend {
  readonly resolve: (outcome: SendOutcome) => void;
  readonly reject: (error: Error) => void;
}

const reconnectMs = 50;

/** A connection; ends once, with every send that waits on it. */
class Connection {
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  /** By the number that the platform answers under. */
  readonly #waiting = new Map<number, WaitingSend>();
  #sends = 0;

  constructor(path: string, onMessage: (line: PlatformLine & { type: 'message' }) => void) {
    this.#socket = connect({ path });
    const reader = createInterface({ input: this.#socket });
    for (const one of [this.#socket, reader]) one.on('error', () => undefined);
    reader.on('line', (text) => {
      const line = JSON.parse(text) as PlatformLine;
      if (line.type === 'message') onMessage(line);
      else this.#settle(line);
    });
    this.closed = new Promise((resolve) => {
      this.#socket.on('close', () => {
        // It may have arrived: only the platform knows.
        for (const { reject } of this.#waiting.values()) reject(new Error('the connection broke'));
        resolve();
      });
    });
  }

  write(line: ChannelLine): void {
    this.#socket.write(`${JSON.stringify(line)}\n`);
  }

  send(line: Omit<ChannelLine & { type: 'send' }, 'type' | 'key'>): Promise<SendOutcome> {
    this.#sends += 1;
    const key = this.#sends;
    return new Promise((resolve, reject) => {
      this.#waiting.set(key, { resolve, reject });
      this.write({ type: 'send', key, ...line });
    });
  }

  end(): void {
    this.#socket.destroy();
  }

  #settle({ key, outcome }: PlatformLine & { type: 'outcome' }): void {
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    if (outcome === 'throw') waiting?.reject(new Error('a mistake in the channel'));
    else waiting?.resolve(outcome);
  }
}

export class FlakyChannel implements Channel {
  readonly #id: string;
  readonly #socketPath: string;
  /** Of each chat that was sent to: when one breaks off, the others go on. */
  readonly #connections = new Map<string, Connection>();
  #events: ChannelEvents | undefined;
  #inbound: Connection | undefined;

  constructor({ id, socketPath }: FlakyChannelDeps) {
    this.#id = id;
    this.#socketPath = socketPath;
  }

  start(events: ChannelEvents): Promise<void> {
    this.#events = events;
    void this.#listen();
    return Promise.resolve();
  }

  refuse(): void {
    this.#events = undefined;
  }

  send({ address, messageId, inReplyTo, chat }: OutboundEvent): Promise<SendOutcome> {
    const text = chat.operation === 'react' ? chat.emoji : chat.text;
    const { platformId } = address;
    return this.#connectionOf(platformId).send({ chat: platformId, messageId, inReplyTo, text });
  }

  stop(): Promise<void> {
    this.refuse();
    for (const connection of this.#connections.values()) connection.end();
    this.#inbound?.end();
    return Promise.resolve();
  }

  #connectionOf(chat: string): Connection {
    const known = this.#connections.get(chat);
    if (known !== undefined) return known;
    const connection = new Connection(this.#socketPath, () => undefined);
    this.#connections.set(chat, connection);
    void connection.closed.then(() => this.#connections.delete(chat));
    return connection;
  }

  async #listen(): Promise<void> {
    while (this.#events !== undefined) {
      const connection = new Connection(this.#socketPath, (line) => {
        void this.#receive(line, connection);
      });
      this.#inbound = connection;
      connection.write({ type: 'listen' });
      await connection.closed;
      await new Promise((resolve) => setTimeout(resolve, reconnectMs));
    }
  }

  async #receive(
    { id, chat, text }: PlatformLine & { type: 'message' },
    connection: Connection,
  ): Promise<void> {
    const outcome = await this.#events
      ?.onInbound({
        type: 'message',
        address: { channelType: this.#id, platformId: chat, threadId: null },
        platformMessageId: id,
        sender: { id: 'somebody' },
        text,
        isGroup: false,
        isMention: true,
      })
      .catch(() => undefined);
    if (outcome === undefined || outcome.kind === 'refused') return;
    connection.write({ type: 'taken', id, messageId: outcome.messageId });
  }
}
