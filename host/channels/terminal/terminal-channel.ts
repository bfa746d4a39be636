/** Chats of this machine's user: programs write to a Unix socket and read from it. Every platformId is a chat. */
import { createServer, type Server, type Socket } from 'node:net';
import { rm } from 'node:fs/promises';
import { readDescriptorLimit } from '../../../shared/base/descriptors.js';
import { toBerthError } from '../../../shared/base/errors.js';
import type { NewId } from '../../../shared/base/ids.js';
import { Deadline } from '../../../shared/base/lifecycle.js';
import type { Logger } from '../../../shared/base/logger.js';
import type {
  Channel,
  ChannelEvents,
  InboundEvent,
  InboundOutcome,
  OutboundEvent,
  SendOutcome,
  SettledEvent,
} from '../channel.js';
import type { LineItem } from './ndjson.js';
import {
  defaultConnectionLimits,
  TerminalConnection,
  type Answer,
  type ConnectionLimits,
} from './terminal-connection.js';
import { spokenLineOf } from './terminal-lines.js';
import { findMentionedNames } from './terminal-mention.js';
import { TerminalListeners } from './terminal-listeners.js';
import {
  encodeLine,
  maxClientLineBytes,
  parseClientLine,
  type ErrorLine,
  type MessageLine,
  type ServerLine,
} from './terminal-protocol.js';
import { connectionLimit, listenPrivately, sendAway, type SocketPlace } from './terminal-socket.js';

export interface TerminalChannelDeps {
  /** Of the instance: the `channelType` of its chats. */
  readonly id: string;
  readonly place: SocketPlace;
  readonly newId: NewId;
  readonly log: Logger;
  readonly limits?: ConnectionLimits;
  /** How many clients at once; a quarter of the process's file descriptors where left out, 2048 at the most. */
  readonly maxConnections?: number;
  /** How long stop waits for messages that are being taken. */
  readonly drainTimeoutMs?: number;
}

export class TerminalChannel implements Channel {
  readonly #deps: TerminalChannelDeps;
  readonly #connections = new Set<TerminalConnection>();
  readonly #listeners = new TerminalListeners();
  readonly #maxConnections: number;
  #server: Server | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #isRefusing = false;

  constructor(deps: TerminalChannelDeps) {
    this.#deps = deps;
    this.#maxConnections = deps.maxConnections ?? connectionLimit(readDescriptorLimit());
  }

  start(events: ChannelEvents): Promise<void> {
    this.#starting ??= this.#open(events);
    return this.#starting;
  }

  refuse(): void {
    this.#isRefusing = true;
  }

  async send(event: OutboundEvent): Promise<SendOutcome> {
    const line = spokenLineOf(event);
    if (line === undefined) {
      const reason = 'the message that it is about was never sent here';
      return { kind: 'failed', reason, retryable: false };
    }
    const wasReceived = await this.#listeners.tell(event.address.platformId, encodeLine(line));
    return wasReceived
      ? { kind: 'sent', platformMessageId: event.messageId }
      : { kind: 'nobody-listening' };
  }

  settled(event: SettledEvent): void {
    const { platformId } = event.address;
    const { messageId, status } = event;
    void this.#listeners.tell(
      platformId,
      encodeLine({ type: 'done', platformId, messageId, status }),
    );
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#close();
    return this.#stopping;
  }

  async #open(events: ChannelEvents): Promise<void> {
    const { id, place, log } = this.#deps;
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#welcome(socket, events);
    });
    this.#server = server;
    await listenPrivately(server, place);
    server.on('error', (err) => {
      log.warn({ channel: id, err }, 'connection not accepted');
    });
    log.info({ channel: id, path: place.path }, 'listening');
  }

  async #close(): Promise<void> {
    this.refuse();
    const hasOpened = await this.#starting?.then(
      () => true,
      () => false,
    );
    const server = this.#server;
    if (server?.listening === true) {
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      if (hasOpened === true) await rm(this.#deps.place.path, { force: true });
      const connections = [...this.#connections];
      const deadline = new Deadline(this.#deps.drainTimeoutMs ?? 1_000);
      await deadline.wait(Promise.all(connections.map((connection) => connection.drain())));
      await Promise.all([...this.#connections].map((connection) => connection.close()));
      await closed;
    }
  }

  #welcome(socket: Socket, events: ChannelEvents): void {
    const log = this.#deps.log.child({ channel: this.#deps.id });
    if (this.#connections.size >= this.#maxConnections) {
      log.warn({ maxConnections: this.#maxConnections }, 'too many terminal clients, one refused');
      sendAway(socket, encodeLine(tooManyClients));
      return;
    }
    const connection: TerminalConnection = new TerminalConnection({
      socket,
      limits: this.#deps.limits ?? defaultConnectionLimits,
      log,
      answer: (item) => this.#answer(connection, item, events),
      onLeave: () => {
        this.#listeners.remove(connection);
      },
      onClosed: () => {
        this.#connections.delete(connection);
      },
    });
    this.#connections.add(connection);
    connection.start();
  }

  async #answer(
    connection: TerminalConnection,
    item: LineItem,
    events: ChannelEvents,
  ): Promise<Answer> {
    if (item.kind === 'oversized') return answerWith(lineTooLong);
    if (item.kind === 'garbled') return answerWith(notUtf8);
    const line = parseClientLine(item.text);
    if (line.type === 'error') return answerWith(line);
    try {
      if (line.type !== 'subscribe') return await this.#takeMessage(connection, line, events);
      this.#listeners.add(connection, line.platformId);
      events.onListening({ channelType: this.#deps.id, platformId: line.platformId });
      return answerWith();
    } catch (error) {
      return answerWith(this.#failureOf(error, line.type === 'subscribe' ? null : line.id));
    }
  }

  async #takeMessage(
    connection: TerminalConnection,
    line: MessageLine,
    events: ChannelEvents,
  ): Promise<Answer> {
    const { platformId } = line;
    if (this.#isRefusing) {
      const message = 'Berth is shutting down; the message was not taken.';
      return answerWith(errorLine('shutting_down', message, line.id));
    }
    // Listening comes first: the reply may be faster than the outcome.
    if (this.#listeners.add(connection, platformId)) {
      events.onListening({ channelType: this.#deps.id, platformId });
    }
    const outcome = await events.onInbound({
      type: 'message',
      address: { channelType: this.#deps.id, platformId, threadId: line.threadId },
      platformMessageId: line.id ?? this.#deps.newId('m'),
      sender: { id: line.sender },
      text: line.text,
      isGroup: false,
      ...(line.type === 'answer' ? { isMention: false, answers: line.question } : mentionsOf(line)),
    });
    return answerTo(line, outcome);
  }

  #failureOf(error: unknown, id: string | null): ErrorLine {
    const failure = toBerthError(error);
    this.#deps.log.warn(
      { channel: this.#deps.id, err: failure, code: failure.code },
      'message not taken',
    );
    const line = errorLine(failure.code, failure.message, id);
    return failure.next === undefined ? line : { ...line, next: failure.next };
  }
}

const lineTooLong = errorLine(
  'line_too_long',
  `The line is longer than ${maxClientLineBytes} bytes; it was skipped.`,
  null,
);
const tooManyClients: ErrorLine = {
  ...errorLine('too_many_clients', 'Too many clients are connected; this one is not served.', null),
  next: 'End clients that nobody uses, then try again: they take the file descriptors that messages need.',
};
const notUtf8 = errorLine('not_json', 'The line is not UTF-8 text.', null);

function errorLine(code: string, message: string, id: string | null): ErrorLine {
  return { type: 'error', code, message, ...(id === null ? {} : { id }) };
}

function answerWith(...lines: readonly ServerLine[]): Answer {
  return { lines: lines.map(encodeLine) };
}

function mentionsOf({
  text,
  mention,
}: Extract<MessageLine, { type: 'message' }>): Pick<InboundEvent, 'isMention' | 'mentionedNames'> {
  return {
    isMention: mention ?? false,
    mentionedNames: mention === undefined ? findMentionedNames(text) : [],
  };
}

function answerTo(line: MessageLine, outcome: InboundOutcome): Answer {
  if (outcome.kind === 'refused') {
    const refusal = errorLine('refused', outcome.reason, line.id);
    return answerWith(outcome.next === undefined ? refusal : { ...refusal, next: outcome.next });
  }
  const { messageId } = outcome;
  const ack: ServerLine = {
    type: 'ack',
    id: line.id,
    messageId,
    ...(outcome.kind === 'duplicate' ? { duplicate: true } : {}),
    ...(outcome.contextOnly === true ? { contextOnly: true } : {}),
  };
  if (outcome.kind === 'accepted' || outcome.settled === undefined) return answerWith(ack);
  const { platformId } = line;
  const last = outcome.settled.then((status) =>
    encodeLine({ type: 'done', platformId, messageId, status }),
  );
  return { ...answerWith(ack), last };
}
