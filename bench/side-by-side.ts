import type { TerminalWire } from '../test/fakes/terminal-wire.js';
import type { BenchHome } from './bench-home.js';
import { Chat } from './chat.js';

/** A chat with a running container. */
export interface Side {
  readonly home: BenchHome;
  readonly chat: Chat;
}

/** Runs a daemon for each home, with one warm chat, while it is used. */
export async function usingDaemons<T>(
  homes: readonly BenchHome[],
  use: (sides: readonly Side[]) => Promise<T>,
): Promise<T> {
  const wires: TerminalWire[] = [];
  try {
    const sides: Side[] = [];
    for (const home of homes) {
      await home.start();
      const wire = await home.wire();
      wires.push(wire);
      const chat = new Chat(wire, 'local');
      await chat.warmUp();
      sides.push({ home, chat });
    }
    return await use(sides);
  } finally {
    for (const wire of wires) await wire[Symbol.asyncDispose]();
    for (const home of homes) await home.berth('stop');
  }
}

/** Each side's times, in turns of a few messages: what disturbs the machine disturbs all alike. */
export async function timeInTurns(
  sides: readonly { readonly chat: Pick<Chat, 'exchange'> }[],
  turns: number,
  messagesPerTurn: number,
  aroundTurn: (side: number, turn: () => Promise<void>) => Promise<void> = (_side, turn) => turn(),
): Promise<readonly (readonly number[])[]> {
  const times = sides.map((): number[] => []);
  for (let turn = 0; turn < turns; turn += 1) {
    for (const [index, { chat }] of sides.entries()) {
      await aroundTurn(index, async () => {
        for (let i = 0; i < messagesPerTurn; i += 1) {
          times[index]?.push(await chat.exchange(`turn ${turn} message ${i}`));
        }
      });
    }
  }
  return times;
}
