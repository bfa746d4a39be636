/**
 * The runner's half of outbound.db, its only writer. The file stays open between calls, without a transaction. Every
 * transaction is a full one: claims without fsync would save half a millisecond, and could leave a damaged file after a
 * power cut.
 */
import { isoAt } from '../../base/clock.js';
import { cutText } from '../../base/cut-text.js';
import { KeptDatabase, transact } from '../../base/sqlite/kept-database.js';
import { migrateByVersion, type Migration } from '../../base/sqlite/migrate.js';
import { asForeign, fromSqlite, withDatabase } from '../../base/sqlite/sqlite.js';
import type { StatementCache } from '../../base/sqlite/statement-cache.js';
import type { Address } from '../session-message.js';
import { assertNotHostile } from './hostile-file.js';
import { agentStateKey, failureKey, maxReasonLength, triesKey } from '../session-state.js';

/** How long SQLite waits for the host's read to end, in milliseconds. The host's reads take less than one. */
const busyTimeoutMs = 1_000;

export interface NewOutboundRow {
  readonly id: string;
  readonly inReplyTo: string | null;
  /** ISO-8601; null: at once. */
  readonly deliverAfter: string | null;
  readonly kind: 'chat' | 'system';
  readonly address: Address | null;
  /** JSON, as encodeContent makes it. */
  readonly content: string;
}

/** A try of a messages_in row; `tries` as it stands there. */
export interface Attempt {
  readonly id: string;
  readonly tries: number;
}

/** How a claimed message ended. */
export type FinalAck =
  | { readonly status: 'completed'; readonly id: string }
  | {
      readonly status: 'failed';
      readonly id: string;
      readonly tries: number;
      readonly reason: string;
    };

/** A provider's note; null: it is taken away. */
export interface StateChange {
  readonly key: string;
  readonly value: string | null;
}

/** All that one transaction of a turn writes. */
export interface OutboundCommit {
  readonly rows: readonly NewOutboundRow[];
  readonly acks: readonly FinalAck[];
  /** Notes of the provider that have changed, if any. */
  readonly state?: readonly StateChange[];
  /** The highest seq in inbound.db now; the new rows come after it. */
  readonly inboundMaxSeq: number;
  readonly nowMs: number;
}

export class OutboundWriter {
  readonly #file: KeptDatabase;

  constructor(path: string) {
    this.#file = new KeptDatabase(path, { mode: 'write', busyTimeoutMs });
  }

  /** Makes the file or brings it up to date. */
  create(migrations: readonly Migration[]): void {
    // Beside the file may lie what would keep this process from it for ever.
    assertNotHostile(this.#file.path);
    withDatabase(this.#file.path, { mode: 'create', busyTimeoutMs }, (db) => {
      migrateByVersion(db, migrations);
    });
  }

  /**
   * Marks messages as being worked on. `choose` picks them, asking for each whether it is open: not claimed, not
   * completed, and not failed in this try. Writes nothing when it picks none. Returns what it picked.
   */
  claim<T extends { readonly messages: readonly Attempt[] }>(
    choose: (isOpen: (attempt: Attempt) => boolean) => T,
    nowMs: number,
  ): T {
    return this.#write((statements) => {
      const chosen = choose(openCheck(statements));
      const writeAck = ackWriter(statements, nowMs);
      for (const { id, tries } of chosen.messages) {
        writeAck(id, 'processing');
        // The host must see which try it was that a crash ended.
        if (tries > 0) writeState(statements, triesKey(id), String(tries), nowMs);
      }
      return chosen;
    });
  }

  /** Replies and acks in one transaction: either both are there or neither. The same commit twice is one. */
  commit(commit: OutboundCommit): void {
    this.#write((statements) => {
      insertRows(statements, commit);
      writeAcks(statements, commit.acks, commit.nowMs);
      writeChanges(statements, commit.state ?? [], commit.nowMs);
    });
  }

  /** A provider's note. */
  findState(key: string): string | undefined {
    return this.#use('BEGIN', (statements) =>
      statements
        .pluck<[string], string>('SELECT value FROM session_state WHERE key = ?')
        .get(agentStateKey(key)),
    );
  }

  /** Gives back what a runner before this one had claimed and not ended. Returns how many. */
  clearStaleClaims(): number {
    return this.#write(
      (statements) =>
        statements.prepare(`DELETE FROM processing_ack WHERE status = 'processing'`).run().changes,
    );
  }

  /** Gives back claims of this runner. */
  release(messageIds: readonly string[]): void {
    this.#write((statements) => {
      const remove = statements.prepare(
        `DELETE FROM processing_ack WHERE message_id = ? AND status = 'processing'`,
      );
      for (const id of messageIds) remove.run(id);
    });
  }

  /** Nothing stays open. */
  close(): void {
    this.#file.close();
  }

  #write<T>(use: (statements: StatementCache) => T): T {
    return this.#use('BEGIN IMMEDIATE', use);
  }

  #use<T>(begin: 'BEGIN' | 'BEGIN IMMEDIATE', use: (statements: StatementCache) => T): T {
    const { path } = this.#file;
    try {
      const opened = this.#file.open();
      const result = transact(opened, begin, () => use(opened.statements));
      this.#file.endUse();
      return result;
    } catch (error) {
      // The file may be damaged, or not there any more: the next call finds out anew.
      this.#file.close();
      const failure = fromSqlite(error, path);
      // A file beside it may be the reason: that does not pass.
      if (failure.code === 'database_unreadable') assertNotHostile(path);
      throw asForeign(failure, path);
    }
  }
}

function openCheck(statements: StatementCache): (attempt: Attempt) => boolean {
  const findStatus = statements.pluck<[string], string>(
    'SELECT status FROM processing_ack WHERE message_id = ?',
  );
  const findTries = (id: string): string | null | undefined =>
    statements
      .pluck<[string], string | null>('SELECT value FROM session_state WHERE key = ?')
      .get(triesKey(id));
  return ({ id, tries }) => {
    const status = findStatus.get(id);
    if (status === 'processing' || status === 'completed') return false;
    return status !== 'failed' || tries > Number(findTries(id) ?? 0);
  };
}

function insertRows(statements: StatementCache, commit: OutboundCommit): void {
  if (commit.rows.length === 0) return;
  const outboundMaxSeq = statements.pluck('SELECT coalesce(max(seq), 0) FROM messages_out').get();
  const max = Math.max(Number(outboundMaxSeq), commit.inboundMaxSeq);
  // Runner seqs are odd, and greater than every seq in both files.
  let seq = max + 1 + (max % 2);
  const insert = statements.prepare(
    `INSERT INTO messages_out (id, seq, in_reply_to, timestamp, deliver_after, kind,
                               platform_id, channel_type, thread_id, content)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
  );
  for (const row of commit.rows) {
    const { changes } = insert.run(
      row.id,
      seq,
      row.inReplyTo,
      isoAt(commit.nowMs),
      row.deliverAfter,
      row.kind,
      row.address?.platformId ?? null,
      row.address?.channelType ?? null,
      row.address?.threadId ?? null,
      row.content,
    );
    seq += 2 * changes;
  }
}

function writeAcks(statements: StatementCache, acks: readonly FinalAck[], nowMs: number): void {
  const writeAck = ackWriter(statements, nowMs);
  const removeState = statements.prepare('DELETE FROM session_state WHERE key IN (?, ?)');
  for (const ack of acks) {
    writeAck(ack.id, ack.status);
    if (ack.status === 'completed') {
      removeState.run(failureKey(ack.id), triesKey(ack.id));
      continue;
    }
    writeState(statements, failureKey(ack.id), cutText(ack.reason, maxReasonLength), nowMs);
    writeState(statements, triesKey(ack.id), String(ack.tries), nowMs);
  }
}

function writeChanges(
  statements: StatementCache,
  changes: readonly StateChange[],
  nowMs: number,
): void {
  const remove = statements.prepare('DELETE FROM session_state WHERE key = ?');
  for (const { key, value } of changes) {
    if (value === null) remove.run(agentStateKey(key));
    else writeState(statements, agentStateKey(key), value, nowMs);
  }
}

function ackWriter(
  statements: StatementCache,
  nowMs: number,
): (id: string, status: string) => void {
  const upsert = statements.prepare(
    `INSERT INTO processing_ack (message_id, status, status_changed) VALUES (?, ?, ?)
     ON CONFLICT (message_id) DO UPDATE SET status = excluded.status, status_changed = excluded.status_changed`,
  );
  return (id, status) => upsert.run(id, status, isoAt(nowMs));
}

function writeState(statements: StatementCache, key: string, value: string, nowMs: number): void {
  statements
    .prepare(
      `INSERT INTO session_state (key, value, updated_at) VALUES (?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`,
    )
    .run(key, value, isoAt(nowMs));
}
