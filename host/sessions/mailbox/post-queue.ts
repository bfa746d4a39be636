import type { NewInboundRow } from '../../../shared/protocol/mailbox/inbound-rows.js';
import type { Address, Destination } from '../../../shared/protocol/session-message.js';

/** A message for a session, and what its container is to see with it. */
export interface Post {
  readonly row: NewInboundRow;
  readonly routing?: Address;
  readonly destinations?: readonly Destination[];
}

interface WaitingPost {
  readonly post: Post;
  readonly resolve: (isNew: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** Writes all of them in their order, and returns the ids of those that were new. */
export type AppendPosts = (sessionId: string, posts: readonly Post[]) => Promise<readonly string[]>;

/** Messages on their way to disk: those of one session that come while a write waits share the next. */
export class PostQueue {
  readonly #append: AppendPosts;
  /** By session, in their order. */
  readonly #waiting = new Map<string, WaitingPost[]>();

  constructor(append: AppendPosts) {
    this.#append = append;
  }

  /** Resolves when the message is on disk: whether it was new. */
  add(sessionId: string, post: Post): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(sessionId);
      if (waiting !== undefined) {
        waiting.push({ post, resolve, reject });
        return;
      }
      this.#waiting.set(sessionId, [{ post, resolve, reject }]);
      void this.#flush(sessionId);
    });
  }

  async #flush(sessionId: string): Promise<void> {
    // Messages that are posted in the same turn of the event loop come along.
    await new Promise((resolve) => setImmediate(resolve));
    for (;;) {
      const batch = this.#waiting.get(sessionId) ?? [];
      if (batch.length === 0) break;
      this.#waiting.set(sessionId, []);
      try {
        const added = new Set(
          await this.#append(
            sessionId,
            batch.map(({ post }) => post),
          ),
        );
        for (const { resolve, post } of batch) resolve(added.has(post.row.id));
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#waiting.delete(sessionId);
  }
}
