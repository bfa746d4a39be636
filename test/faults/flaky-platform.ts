/**
 * A chat platform with moods, in this process, with accounts of all that people see. A repeat that says so is one that
 * a person can tell; a silent one is not.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import type { SendOutcome } from '../../host/channels/channel.js';
import { tellTable } from './seeded.js';

export type PlatformLine =
  | {
      readonly type: 'message';
      readonly id: string;
      readonly chat: string;
      readonly text: string;
    }
  | { readonly type: 'outcome'; readonly key: number; readonly outcome: SendOutcome | 'throw' };

export type ChannelLine =
  /** Messages are to be handed over here. */
  | { readonly type: 'listen' }
  | { readonly type: 'taken'; readonly id: string; readonly messageId: string }
  | {
      readonly type: 'send';
      readonly key: number;
      readonly chat: string;
      readonly messageId: string;
      readonly inReplyTo: string | null;
      readonly text: string;
    };

/** For the daemon's environment. */
export interface PlatformFacts {
  readonly socketPath: string;
  readonly sendsAreIdempotent: boolean;
}

/** How one send is met. `take-and-drop`: people see it, and the sender is not told of it. */
export type Mood = 'take' | 'throw' | 'hang' | 'too-many' | 'drop' | 'take-and-drop';

export const retryAfterMs = 2_500;

/** The answer that the channel gets to a send; nothing where it hangs or breaks off. */
const answers: Partial<Record<Mood, SendOutcome | 'throw'>> = {
  take: { kind: 'sent', platformMessageId: null },
  throw: 'throw',
  'too-many': { kind: 'failed', reason: 'too many requests', retryable: true, retryAfterMs },
};

interface PlatformEntry {
  readonly id: string;
  readonly chat: string;
  readonly command: string;
  readonly saidAt: number;
  messageId: string | undefined;
  answeredAt: number | undefined;
}

interface Shown {
  readonly chat: string;
  readonly messageId: string;
  readonly text: string;
}

export interface PlatformCounts {
  readonly said: number;
  readonly accepted: number;
  readonly answered: number;
  readonly lost: number;
  /** Shown twice without a word. */
  readonly silentRepeats: number;
  /** Shown twice, saying so. */
  readonly markedRepeats: number;
  readonly reordered: number;
}

const mark = 'may be a repeat';

export class FlakyPlatform implements AsyncDisposable {
  readonly entries: PlatformEntry[] = [];
  /** The messages that people saw, in their order. */
  readonly shown: Shown[] = [];
  /** When each send came, by chat. */
  readonly sentAt = new Map<string, number[]>();
  readonly #folder = mkdtempSync(join(tmpdir(), 'berth-platform-'));
  readonly #sendsAreIdempotent: boolean;
  readonly #moods = new Map<string, Mood[]>();
  readonly #seen = new Set<string>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #listener: Socket | undefined;

  /** `sendsAreIdempotent`: what comes twice under one id is shown once. */
  constructor(sendsAreIdempotent: boolean) {
    this.#sendsAreIdempotent = sendsAreIdempotent;
    this.#server = createServer((socket) => {
      this.#welcome(socket);
    });
    this.#server.listen(this.#path);
  }

  /** For the daemon's environment. */
  get env(): Record<string, string> {
    const facts: PlatformFacts = {
      socketPath: this.#path,
      sendsAreIdempotent: this.#sendsAreIdempotent,
    };
    return { BERTH_TEST_PLATFORM: JSON.stringify(facts) };
  }

  /** The next sends to a chat are met like this; then they are taken. */
  willMeet(chat: string, ...moods: Mood[]): void {
    this.#moods.set(chat, moods);
  }

  /** `command`: what the agent is to do before it says the message back. */
  say(chat: string, command = ''): PlatformEntry {
    const id = `p${this.entries.length}`;
    const entry: PlatformEntry = {
      id,
      chat,
      command,
      saidAt: performance.now(),
      messageId: undefined,
      answeredAt: undefined,
    };
    this.entries.push(entry);
    this.#hand(entry);
    return entry;
  }

  async untilAnswered(timeoutMs = 30_000): Promise<void> {
    const givesUpAt = performance.now() + timeoutMs;
    for (;;) {
      const open = this.entries.filter(({ answeredAt }) => answeredAt === undefined);
      if (open.length === 0) return;
      if (performance.now() > givesUpAt) {
        throw new Error(`${open.length} wait: ${JSON.stringify(open.slice(0, 3))}`);
      }
      await wait(5);
    }
  }

  /** Returns what people see in a chat, without the word about repeats. */
  repliesIn(chat: string): readonly string[] {
    return this.shown.filter((it) => it.chat === chat).map(({ text }) => plain(text));
  }

  counts(): PlatformCounts {
    const accepted = this.entries.filter(({ messageId }) => messageId !== undefined);
    const answered = accepted.filter(({ answeredAt }) => answeredAt !== undefined);
    const firsts = new Set<string>();
    const repeats = this.shown.filter(({ text }) => {
      const isRepeat = firsts.has(plain(text));
      firsts.add(plain(text));
      return isRepeat;
    });
    const marked = repeats.filter(({ text }) => text.includes(mark));
    return {
      said: this.entries.length,
      accepted: accepted.length,
      answered: answered.length,
      lost: accepted.length - answered.length,
      silentRepeats: repeats.length - marked.length,
      markedRepeats: marked.length,
      reordered: this.#countReordered(),
    };
  }

  tellCounts(more: Readonly<Record<string, string | number>> = {}): void {
    tellTable([{ ...this.counts(), ...more }]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #path(): string {
    return join(this.#folder, 'platform.sock');
  }

  #welcome(socket: Socket): void {
    this.#sockets.add(socket);
    const reader = createInterface({ input: socket });
    for (const one of [socket, reader]) one.on('error', () => undefined);
    reader.on('line', (line) => {
      this.#take(JSON.parse(line) as ChannelLine, socket);
    });
  }

  #listen(socket: Socket): void {
    this.#listener = socket;
    for (const entry of this.entries) if (entry.messageId === undefined) this.#hand(entry);
  }

  #hand({ id, chat, command }: PlatformEntry): void {
    if (this.#listener !== undefined)
      write(this.#listener, { type: 'message', id, chat, text: `${command}${id}` });
  }

  #take(line: ChannelLine, socket: Socket): void {
    if (line.type === 'listen') {
      this.#listen(socket);
      return;
    }
    if (line.type === 'taken') {
      const entry = this.entries.find(({ id }) => id === line.id);
      if (entry !== undefined) entry.messageId = line.messageId;
      return;
    }
    const { key, chat } = line;
    this.sentAt.set(chat, [...(this.sentAt.get(chat) ?? []), performance.now()]);
    const mood = this.#moods.get(chat)?.shift() ?? 'take';
    if (mood === 'take' || mood === 'take-and-drop') this.#show(line);
    if (mood === 'drop' || mood === 'take-and-drop') socket.destroy();
    const outcome = answers[mood];
    if (outcome !== undefined) write(socket, { type: 'outcome', key, outcome });
  }

  #show({ chat, messageId, text }: Extract<ChannelLine, { type: 'send' }>): void {
    if (this.#sendsAreIdempotent && this.#seen.has(messageId)) return;
    this.#seen.add(messageId);
    this.shown.push({ chat, messageId, text });
    const entry = this.entries.find(({ id }) => plain(text) === replyTo(id));
    if (entry !== undefined) entry.answeredAt ??= performance.now();
  }

  #countReordered(): number {
    const places = new Map(this.entries.map(({ id }, place) => [replyTo(id), place]));
    const furthest = new Map<string, number>();
    let count = 0;
    for (const { chat, text } of this.shown) {
      if (text.includes(mark)) continue;
      const place = places.get(text) ?? 0;
      if (place < (furthest.get(chat) ?? -1)) count += 1;
      furthest.set(chat, Math.max(place, furthest.get(chat) ?? -1));
    }
    return count;
  }
}

function write(socket: Socket, line: PlatformLine): void {
  if (socket.writable) socket.write(`${JSON.stringify(line)}\n`);
}

function replyTo(id: string): string {
  return `echo: ${id}`;
}

/** The last line is what was to be said. */
function plain(text: string): string {
  return text.split('\n').at(-1) ?? '';
}
