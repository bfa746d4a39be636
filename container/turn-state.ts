import { BerthError } from '../shared/base/errors.js';
import type { StateChange } from '../shared/protocol/mailbox/outbound-writer.js';
import type { AgentState } from './providers/provider.js';

/** In characters, and in bytes of UTF-8. */
const longestKey = 200;
const longestValue = 256 * 1024;

/** A provider's notes during one turn: what it changes is read back at once, and written with the acks, or not at all. */
export class TurnState implements AgentState {
  readonly #read: (key: string) => string | undefined;
  /** By key; null: taken away. */
  readonly #changes = new Map<string, string | null>();

  /** `read` tells what is written. */
  constructor(read: (key: string) => string | undefined) {
    this.#read = read;
  }

  get(key: string): string | undefined {
    const changed = this.#changes.get(key);
    return changed === undefined ? this.#read(key) : (changed ?? undefined);
  }

  set(key: string, value: string): void {
    if (key === '' || key.length > longestKey) {
      throw new BerthError('provider_failed', `A key of state has 1 to ${longestKey} characters.`);
    }
    if (Buffer.byteLength(value) > longestValue) {
      throw new BerthError(
        'provider_failed',
        `The state ${key} is longer than ${longestValue} bytes.`,
      );
    }
    this.#changes.set(key, value);
  }

  delete(key: string): void {
    this.#changes.set(key, null);
  }

  changes(): readonly StateChange[] {
    return [...this.#changes].map(([key, value]) => ({ key, value }));
  }
}
