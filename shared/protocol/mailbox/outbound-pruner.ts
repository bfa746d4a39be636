/**
 * Takes away what is too old in outbound.db; the runner's, like OutboundWriter. The one who asks has to find out in
 * inbound.db what may go: see docs/adr/0008. Rows go in slices, each one small transaction.
 */
import { isoAt } from '../../base/clock.js';
import { withDatabase, type Db } from '../../base/sqlite/sqlite.js';
import { failureKey, messageOfStateKey, triesKey } from '../session-state.js';

/** As long as for the runner's other writes. */
const busyTimeoutMs = 1_000;

/** When the file was last gone through. */
const prunedKey = 'pruned';

export interface OldOutbound {
  readonly seq: number;
  readonly id: string;
}

/** Something the runner noted about a message of inbound.db. */
export interface OldNote {
  readonly key: string;
  readonly messageId: string;
}

/** Candidates of one slice. */
export interface OldRows<T> {
  readonly old: readonly T[];
  /** The last key that was examined; undefined: there is nothing further. */
  readonly next: string | undefined;
}

export class OutboundPruner {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** ISO-8601; undefined: never. */
  findPrunedAt(): string | undefined {
    return this.#use((db) =>
      db
        .prepare<[string], string>('SELECT updated_at FROM session_state WHERE key = ?')
        .pluck()
        .get(prunedKey),
    );
  }

  notePruned(nowMs: number): void {
    this.#use((db) => {
      db.prepare(
        `INSERT INTO session_state (key, value, updated_at) VALUES (?, '', ?)
         ON CONFLICT (key) DO UPDATE SET updated_at = excluded.updated_at`,
      ).run(prunedKey, isoAt(nowMs));
    });
  }

  /** Old messages, but never the newest: seq counts on from it. `next` is a seq. */
  listOldMessages(after: string, limit: number, cutoff: string): OldRows<OldOutbound> {
    return this.#use((db) => {
      const newest = Number(db.prepare('SELECT max(seq) FROM messages_out').pluck().get() ?? 0);
      const rows = db
        .prepare<[string, number, number], OldOutbound & { isOld: 0 | 1 }>(
          `SELECT id, seq, timestamp < ? AS isOld FROM messages_out WHERE seq > ? ORDER BY seq LIMIT ?`,
        )
        .all(cutoff, Number(after), limit);
      const old = rows.filter(({ isOld, seq }) => isOld === 1 && seq < newest);
      // Rows are in about the order of their times: a slice without an old one ends the search.
      const hasMore = rows.length === limit && old.length > 0;
      return { old, next: hasMore ? String(rows.at(-1)?.seq) : undefined };
    });
  }

  deleteMessages(messages: readonly OldOutbound[]): void {
    this.#deleteAll(
      'DELETE FROM messages_out WHERE seq = ?',
      messages.map(({ seq }) => seq),
    );
  }

  /** Old acks that are final, by the id of their message. */
  listOldAcks(after: string, limit: number, cutoff: string): OldRows<OldNote> {
    return this.#use((db) => {
      const rows = db
        .prepare<[string, string, number], { key: string; isOld: 0 | 1 }>(
          `SELECT message_id AS key, status IN ('completed', 'failed') AND status_changed < ? AS isOld
           FROM processing_ack WHERE message_id > ? ORDER BY message_id LIMIT ?`,
        )
        .all(cutoff, after, limit);
      const old = rows.filter(({ isOld }) => isOld === 1);
      return {
        old: old.map(({ key }) => ({ key, messageId: key })),
        next: lastKey(rows, limit),
      };
    });
  }

  /** With what was noted of their messages. */
  deleteAcks(acks: readonly OldNote[]): void {
    this.#use((db) => {
      const ack = db.prepare('DELETE FROM processing_ack WHERE message_id = ?');
      const state = db.prepare('DELETE FROM session_state WHERE key IN (?, ?)');
      db.transaction(() => {
        for (const { messageId } of acks) {
          ack.run(messageId);
          state.run(failureKey(messageId), triesKey(messageId));
        }
      }).immediate();
    });
  }

  /** Old notes about messages, as of claims that were given back. */
  listOldState(after: string, limit: number, cutoff: string): OldRows<OldNote> {
    return this.#use((db) => {
      const rows = db
        .prepare<[string, string, number], { key: string; isOld: 0 | 1 }>(
          `SELECT key, updated_at < ? AS isOld FROM session_state WHERE key > ? ORDER BY key LIMIT ?`,
        )
        .all(cutoff, after, limit);
      const old = rows.flatMap(({ key, isOld }) => {
        const messageId = isOld === 1 ? messageOfStateKey(key) : undefined;
        return messageId === undefined ? [] : [{ key, messageId }];
      });
      return { old, next: lastKey(rows, limit) };
    });
  }

  deleteState(notes: readonly OldNote[]): void {
    this.#deleteAll(
      'DELETE FROM session_state WHERE key = ?',
      notes.map(({ key }) => key),
    );
  }

  #deleteAll(sql: string, keys: readonly (string | number)[]): void {
    this.#use((db) => {
      const statement = db.prepare<[string | number]>(sql);
      db.transaction(() => {
        for (const key of keys) statement.run(key);
      }).immediate();
    });
  }

  #use<T>(use: (db: Db) => T): T {
    return withDatabase(this.#path, { mode: 'write', busyTimeoutMs }, use);
  }
}

function lastKey(rows: readonly { readonly key: string }[], limit: number): string | undefined {
  return rows.length === limit ? rows.at(-1)?.key : undefined;
}
