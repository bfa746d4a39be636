/**
 * A correct client of the terminal that keeps accounts. It says each message under an id of its own, says again
 * after a broken connection what was not acknowledged, and knows a repeated reply by its messageId.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { TerminalWire, type WireLine } from '../fakes/terminal-wire.js';
import { tellTable } from './seeded.js';

/** A message and what became of it. */
export interface Entry {
  /** The client's own id. */
  readonly id: string;
  readonly chat: string;
  /** The text that is sent. */
  readonly text: string;
  /** The reply that it asks for; undefined where it asks for none. */
  readonly reply: string | undefined;
  readonly saidAt: number;
  /** Berth's id, once it was acknowledged. */
  messageId: string | undefined;
  /** The error lines that it met. */
  readonly refusals: { readonly code: string; readonly message: string }[];
  answeredAt: number | undefined;
  /** The outcome that the `done` line told, or the notice that it was given up. */
  status: string | undefined;
}

interface Reply {
  readonly chat: string;
  readonly text: string;
  readonly messageId: string;
  readonly inReplyTo: string | null;
}

export interface Counts {
  readonly said: number;
  readonly accepted: number;
  readonly answered: number;
  /** Given up, and the chat was told. */
  readonly toldFailed: number;
  /** Accepted, and neither answered nor told. */
  readonly lost: number;
  /** Replies that came a second time under another id: a person would see them twice. */
  readonly repeated: number;
  /** Replies that came again under the same id: a client drops them. */
  readonly sentAgain: number;
  /** Replies that came before the reply to an earlier message of their chat. */
  readonly reordered: number;
  /** Replies that answer nothing that was said. */
  readonly unasked: number;
}

const reconnectMs = 10;

/** A chat is told this about a message that was given up. */
const givenUp = 'could not be handled';

export class Ledger implements AsyncDisposable {
  readonly entries: Entry[] = [];
  readonly #socket: string;
  readonly #name: string;
  readonly #chats = new Set<string>();
  readonly #byId = new Map<string, Entry>();
  readonly #byReply = new Map<string, Entry>();
  /** By Berth's id. */
  readonly #byMessage = new Map<string, Entry>();
  /** In the order in which they came, each once. */
  readonly #replies = new Map<string, Reply>();
  /** The outcomes of messages that are not acknowledged yet. */
  readonly #early = new Map<string, string>();
  readonly #closing = new AbortController();
  #sentAgain = 0;
  #wire: TerminalWire | undefined;
  #life: Promise<void>;

  /** `name` keeps the ids of several ledgers at one socket apart. */
  constructor(socket: string, name = 'm') {
    this.#socket = socket;
    this.#name = name;
    this.#life = this.#live();
  }

  /** `command` comes before the word that makes this message unlike any other, as `!sleep 100`. */
  say(chat: string, command = ''): Entry {
    const id = `${this.#name}${this.entries.length}`;
    return this.#enter(chat, [command, id].filter(Boolean).join(' '), `echo: ${id}`);
  }

  /** A message that nobody answers, as `!exit 3`. */
  sayUnanswerable(chat: string, text: string): Entry {
    return this.#enter(chat, text, undefined);
  }

  /** Says a refused message again, under the same id. */
  sayAgain(entry: Entry): void {
    this.#send(entry);
  }

  /** How many messages of a chat wait for their reply. */
  waiting(chat: string): number {
    return this.entries.filter((entry) => entry.chat === chat && !isOver(entry)).length;
  }

  entriesOf(chat: string): readonly Entry[] {
    return this.entries.filter((entry) => entry.chat === chat);
  }

  /** The texts that came in a chat, each reply once. */
  textsOf(chat: string): readonly string[] {
    return [...this.#replies.values()].filter((it) => it.chat === chat).map(({ text }) => text);
  }

  /** Milliseconds from each answered message to its reply. */
  latencies(entries: readonly Entry[] = this.entries): readonly number[] {
    return entries.flatMap(({ answeredAt, saidAt }) =>
      answeredAt === undefined ? [] : [answeredAt - saidAt],
    );
  }

  /** Resolves when every message is answered or was given up aloud. Throws with the accounts when that takes too long. */
  async untilOver(timeoutMs = 60_000, entries = this.entries): Promise<void> {
    await this.until(() => entries.every(isOver), timeoutMs);
  }

  async untilAccepted(timeoutMs = 30_000): Promise<void> {
    await this.until(
      () => this.entries.every(({ messageId }) => messageId !== undefined),
      timeoutMs,
    );
  }

  async until(condition: () => boolean, timeoutMs = 30_000): Promise<void> {
    const givesUpAt = performance.now() + timeoutMs;
    while (!condition()) {
      if (performance.now() > givesUpAt) throw new Error(this.#describeWaiting(timeoutMs));
      await wait(2);
    }
  }

  counts(): Counts {
    const accepted = this.entries.filter(({ messageId }) => messageId !== undefined);
    const replies = [...this.#replies.values()];
    const answers = replies.filter(({ text }) => this.#byReply.has(text));
    const answered = accepted.filter(({ answeredAt }) => answeredAt !== undefined);
    const toldFailed = accepted.filter((entry) => entry.answeredAt === undefined && isOver(entry));
    return {
      said: this.entries.length,
      accepted: accepted.length,
      answered: answered.length,
      toldFailed: toldFailed.length,
      lost: accepted.length - answered.length - toldFailed.length,
      repeated: answers.length - new Set(answers.map(({ text }) => text)).size,
      sentAgain: this.#sentAgain,
      reordered: this.#countReordered(answers),
      unasked: replies.filter((reply) => !this.#wasAsked(reply)).length,
    };
  }

  tellCounts(more: Readonly<Record<string, string | number>> = {}): void {
    tellTable([{ ...this.counts(), ...more }]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#wire?.[Symbol.asyncDispose]();
    await this.#life;
  }

  #enter(chat: string, text: string, reply: string | undefined): Entry {
    const entry: Entry = {
      id: `${this.#name}${this.entries.length}`,
      chat,
      text,
      reply,
      saidAt: performance.now(),
      messageId: undefined,
      refusals: [],
      answeredAt: undefined,
      status: undefined,
    };
    this.entries.push(entry);
    this.#chats.add(chat);
    this.#byId.set(entry.id, entry);
    if (reply !== undefined) this.#byReply.set(reply, entry);
    this.#send(entry);
    return entry;
  }

  #send({ id, chat, text }: Entry): void {
    this.#wire?.say(text, { id, platformId: chat });
  }

  async #live(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await this.#converse().catch(() => undefined);
      this.#wire = undefined;
      await wait(reconnectMs);
    }
  }

  /** A connection, from its first line to its end. */
  async #converse(): Promise<void> {
    const wire = await TerminalWire.open(this.#socket, (line) => {
      this.#take(line);
    });
    this.#wire = wire;
    for (const chat of this.#chats) wire.subscribe(chat);
    for (const entry of this.entries) if (entry.messageId === undefined) this.#send(entry);
    await wire.closed;
  }

  #take(line: WireLine): void {
    switch (line.type) {
      case 'ack': {
        const entry = this.#byId.get(String(line['id']));
        if (entry === undefined) return;
        entry.messageId = String(line['messageId']);
        entry.status ??= this.#early.get(entry.messageId);
        this.#byMessage.set(entry.messageId, entry);
        return;
      }
      case 'error':
        this.#byId.get(String(line['id']))?.refusals.push({
          code: String(line['code']),
          message: String(line['message']),
        });
        return;
      case 'done':
        this.#settle(String(line['messageId']), String(line['status']));
        return;
      case 'reply':
        this.#takeReply(line);
        return;
      default:
    }
  }

  #takeReply(line: WireLine): void {
    const messageId = String(line['messageId']);
    if (this.#replies.has(messageId)) {
      this.#sentAgain += 1;
      return;
    }
    const text = String(line['text']);
    const chat = String(line['platformId']);
    const inReplyTo = line['inReplyTo'];
    const answers = typeof inReplyTo === 'string' ? inReplyTo : null;
    this.#replies.set(messageId, { chat, text, messageId, inReplyTo: answers });
    const entry = this.#byReply.get(text);
    if (entry !== undefined) entry.answeredAt ??= performance.now();
    else if (answers !== null && text.includes(givenUp)) this.#settle(answers, 'failed');
  }

  /** It may be faster than the acknowledgement. */
  #settle(messageId: string, status: string): void {
    const entry = this.#byMessage.get(messageId);
    if (entry === undefined) this.#early.set(messageId, status);
    else entry.status = status;
  }

  #wasAsked({ text, inReplyTo, chat }: Reply): boolean {
    const entry = this.#byReply.get(text);
    if (entry !== undefined) return entry.messageId === inReplyTo && entry.chat === chat;
    // The host says this about a message that was given up, or about the chat.
    return inReplyTo === null || this.#byMessage.has(inReplyTo);
  }

  #countReordered(answers: readonly Reply[]): number {
    const furthest = new Map<string, number>();
    const places = new Map(this.entries.map((entry, place) => [entry.reply, place]));
    let count = 0;
    for (const { chat, text } of answers) {
      const place = places.get(text) ?? 0;
      const before = furthest.get(chat) ?? -1;
      if (place < before) count += 1;
      furthest.set(chat, Math.max(place, before));
    }
    return count;
  }

  #describeWaiting(timeoutMs: number): string {
    const open = this.entries.filter((entry) => !isOver(entry));
    const shown = open.slice(0, 5).map((entry) => JSON.stringify(entry));
    return `not in ${timeoutMs} ms; ${JSON.stringify(this.counts())}; ${open.length} wait:\n${shown.join('\n')}`;
  }
}

/** Answered, or given up with a word. */
function isOver({ reply, answeredAt, status }: Entry): boolean {
  if (answeredAt !== undefined || status === 'failed') return true;
  return reply === undefined && status !== undefined;
}
