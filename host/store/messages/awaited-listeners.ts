import type { StatementCache } from '../../../shared/base/sqlite/statement-cache.js';

/** Which sessions have replies for a chat where nobody listened. */
export class AwaitedListenerStore {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  add(sessionId: string, channelType: string, platformId: string): void {
    this.#statements
      .prepare(
        `INSERT INTO awaited_listeners (session_id, channel_type, platform_id) VALUES (?, ?, ?)
         ON CONFLICT DO NOTHING`,
      )
      .run(sessionId, channelType, platformId);
  }

  /** Whether the session has replies for a chat where nobody listens. */
  isAwaiting(sessionId: string): boolean {
    const found = this.#statements
      .prepare('SELECT 1 FROM awaited_listeners WHERE session_id = ? LIMIT 1')
      .get(sessionId);
    return found !== undefined;
  }

  /** The chats that replies of the session wait for. */
  listForSession(
    sessionId: string,
  ): readonly { readonly channelType: string; readonly platformId: string }[] {
    return this.#statements
      .prepare<[string], { channelType: string; platformId: string }>(
        `SELECT channel_type AS channelType, platform_id AS platformId FROM awaited_listeners
         WHERE session_id = ? ORDER BY channel_type, platform_id`,
      )
      .all(sessionId);
  }

  /** Takes the chat off the list, and returns the sessions that had waited for it. */
  take(channelType: string, platformId: string): readonly string[] {
    return this.#statements
      .pluck<[string, string], string>(
        'DELETE FROM awaited_listeners WHERE channel_type = ? AND platform_id = ? RETURNING session_id',
      )
      .all(channelType, platformId);
  }

  /** As take, for every chat of a channel. */
  takeChannel(channelType: string): readonly string[] {
    const sessions = this.#statements
      .pluck<[string], string>(
        'DELETE FROM awaited_listeners WHERE channel_type = ? RETURNING session_id',
      )
      .all(channelType);
    return [...new Set(sessions)];
  }
}
