import type { TerminalWire } from '../test/fakes/terminal-wire.js';

/** Holds one conversation on a wire, as a person holds it: the next message comes after the reply to the last. */
export class Chat {
  readonly #wire: TerminalWire;
  readonly platformId: string;

  constructor(wire: TerminalWire, platformId: string) {
    this.#wire = wire;
    this.platformId = platformId;
  }

  /** Milliseconds from the message's last byte written to its reply's line read. Ends when the message is done with. */
  async exchange(text: string): Promise<number> {
    const done = this.#wire.next('done');
    const tookMs = await this.ask(text);
    await done;
    return tookMs;
  }

  /** As exchange, and ends with the reply: what is asked next finds the daemon at its settlement. */
  async ask(text: string): Promise<number> {
    const beganAt = performance.now();
    const replied = this.#wire.next('reply');
    this.#wire.say(text, { platformId: this.platformId });
    const reply = await replied;
    const tookMs = performance.now() - beganAt;
    if (reply['text'] !== `echo: ${text}`) throw new Error(`${text}: ${String(reply['text'])}`);
    return tookMs;
  }

  /** The first message: what starts the container. */
  async warmUp(): Promise<void> {
    for (let i = 0; i < 5; i += 1) await this.exchange(`warm-up ${i}`);
  }
}

/** Makes chats that have a running container each, started side by side. */
export async function openChats(wire: TerminalWire, count: number): Promise<readonly Chat[]> {
  const chats = Array.from({ length: count }, (_, index) => new Chat(wire, `chat-${index}`));
  const before = wire.of('done').length;
  for (const { platformId } of chats) wire.say('hello', { platformId });
  await wire.until(() => wire.of('done').length === before + count, 120_000);
  return chats;
}
