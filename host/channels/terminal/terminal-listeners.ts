import type { TerminalConnection } from './terminal-connection.js';

/** Knows who listens to which chat. */
export class TerminalListeners {
  readonly #byChat = new Map<string, Set<TerminalConnection>>();
  readonly #chatsOf = new Map<TerminalConnection, Set<string>>();

  /** True when the connection had not listened to the chat before. A connection that has left is not taken. */
  add(connection: TerminalConnection, platformId: string): boolean {
    if (connection.hasLeft) return false;
    const listeners = this.#byChat.get(platformId) ?? new Set();
    if (listeners.has(connection)) return false;
    this.#byChat.set(platformId, listeners.add(connection));
    const chats = this.#chatsOf.get(connection) ?? new Set();
    this.#chatsOf.set(connection, chats.add(platformId));
    return true;
  }

  remove(connection: TerminalConnection): void {
    for (const platformId of this.#chatsOf.get(connection) ?? []) {
      const listeners = this.#byChat.get(platformId);
      listeners?.delete(connection);
      if (listeners?.size === 0) this.#byChat.delete(platformId);
    }
    this.#chatsOf.delete(connection);
  }

  /**
   * Writes to all who listen; true as soon as one has it. A connection that begins to listen meanwhile is told as well.
   */
  async tell(platformId: string, line: string): Promise<boolean> {
    const told = new Set<TerminalConnection>();
    for (;;) {
      const fresh = [...(this.#byChat.get(platformId) ?? [])].filter((one) => !told.has(one));
      if (fresh.length === 0) return false;
      for (const connection of fresh) told.add(connection);
      if (await firstTrue(fresh.map((connection) => connection.write(line)))) return true;
    }
  }
}

/** Resolves with true at the first true, with false when none is. */
function firstTrue(outcomes: readonly Promise<boolean>[]): Promise<boolean> {
  return new Promise((resolve) => {
    const each = outcomes.map((outcome) =>
      outcome.then((isTrue) => {
        if (isTrue) resolve(true);
      }),
    );
    void Promise.all(each).then(() => {
      resolve(false);
    });
  });
}
