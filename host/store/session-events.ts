/**
 * Keeps what happened to sessions and messages, in order, for a person and for readers that go on by seq. An event is
 * added in the transaction of what it tells. A flood of one session or chat takes the places of its own older events
 * only, and the table has a limit: so no container and no chat can fill it.
 */
import { cutText } from '../../shared/base/cut-text.js';
import type { StatementCache } from '../../shared/base/sqlite/statement-cache.js';

/** Every event that there is. A new name does not compile until it has its words in host/operations/event-words.ts. */
export const eventNames = [
  'session.created',
  'session.prewarmed',
  'session.adopted',
  'session.taken',
  'session.woken',
  'session.slept',
  'session.completed',
  'session.closed',
  'session.reopened',
  'session.repaired',
  'session.quarantined',
  'session.removed',
  'question.asked',
  'question.answered',
  'question.ended',
  'message.refused',
  'message.retried',
  'message.failed',
  'reply.retried',
  'reply.failed',
  'container.started',
  'container.adopted',
  'container.ended',
  'container.failed',
] as const;

export type EventName = (typeof eventNames)[number];

/** The facts that a name leaves open; never what somebody has said. */
export interface EventDetail {
  /** A clause or a sentence for a person. */
  readonly why?: string;
  /** Counted from 1. */
  readonly attempt?: number;
  /** When it goes on, ISO-8601. */
  readonly nextAt?: string;
  readonly containerId?: string;
  readonly durationMs?: number;
}

export interface NewEvent {
  readonly name: EventName;
  /** Null: it belongs to no session. */
  readonly sessionId: string | null;
  readonly messagingGroupId?: string | null;
  /** A messages_in row's; of events of replies, a messages_out row's. */
  readonly messageId?: string | null;
  readonly detail?: EventDetail;
}

export interface SessionEvent extends Required<NewEvent> {
  readonly seq: number;
  /** ISO-8601. */
  readonly at: string;
}

export interface EventLimits {
  /** Of one session, and likewise of what belongs to no session in one chat. */
  readonly perSubject: number;
  /** Exceeded by `totalCheckedEvery` at the most. */
  readonly total: number;
}

interface Row extends Omit<SessionEvent, 'detail'> {
  readonly detail: string | null;
}

const defaultLimits: EventLimits = { perSubject: 200, total: 50_000 };
const totalCheckedEvery = 256;

/** In characters, and before that in UTF-16 units: a reason may come from an agent or a platform. */
const longestWhy = 200;
const longestWhyUnits = 400;
const longestId = 200;

const columns = `seq, session_id AS sessionId, messaging_group_id AS messagingGroupId, message_id AS messageId,
  name, detail, at`;

/** A name that another version has left says nothing to this one. */
const isKnown = `name IN (${eventNames.map((name) => `'${name}'`).join(', ')})`;

export class SessionEventStore {
  readonly #statements: StatementCache;
  readonly #limits: EventLimits;

  constructor(statements: StatementCache, limits: EventLimits = defaultLimits) {
    this.#statements = statements;
    this.#limits = limits;
  }

  /** Belongs into the transaction of what it tells. */
  add(event: NewEvent, at: string): void {
    const { name, sessionId, messagingGroupId = null, messageId = null, detail } = event;
    const { lastInsertRowid } = this.#statements
      .prepare(
        `INSERT INTO session_events (session_id, messaging_group_id, message_id, name, detail, at)
         VALUES (?, ?, ?, ?, ?, ?)`,
      )
      .run(
        sessionId,
        messagingGroupId,
        messageId?.slice(0, longestId) ?? null,
        name,
        detail === undefined ? null : JSON.stringify(bounded(detail)),
        at,
      );
    if (sessionId === null) this.#trimChat(messagingGroupId);
    else this.#trimSession(sessionId);
    if (Number(lastInsertRowid) % totalCheckedEvery === 0) this.#trimAll();
  }

  /** As add, unless the last event of the same session says the same: for what is tried again and again. */
  addUnlessRepeated(event: NewEvent & { readonly sessionId: string }, at: string): void {
    const last = this.#statements
      .prepare<[string], Pick<Row, 'name' | 'detail'>>(
        'SELECT name, detail FROM session_events WHERE session_id = ? ORDER BY seq DESC LIMIT 1',
      )
      .get(event.sessionId);
    const detail = event.detail === undefined ? null : JSON.stringify(bounded(event.detail));
    if (last?.name !== event.name || last.detail !== detail) this.add(event, at);
  }

  /** The events behind a seq, in order: a reader goes on by the last seq that it has seen. 0: from the first. */
  listAfter(seq: number, limit: number): readonly SessionEvent[] {
    return this.#statements
      .prepare<[number, number], Row>(
        `SELECT ${columns} FROM session_events WHERE seq > ? AND ${isKnown} ORDER BY seq LIMIT ?`,
      )
      .all(seq, limit)
      .map(fromRow);
  }

  /** As listAfter, of one session. */
  listOfSessionAfter(sessionId: string, seq: number, limit: number): readonly SessionEvent[] {
    return this.#statements
      .prepare<[string, number, number], Row>(
        `SELECT ${columns} FROM session_events WHERE session_id = ? AND seq > ? AND ${isKnown} ORDER BY seq LIMIT ?`,
      )
      .all(sessionId, seq, limit)
      .map(fromRow);
  }

  /** The newest, in order. */
  listNewest(limit: number): readonly SessionEvent[] {
    return this.#statements
      .prepare<[number], Row>(
        `SELECT ${columns} FROM session_events WHERE ${isKnown} ORDER BY seq DESC LIMIT ?`,
      )
      .all(limit)
      .reverse()
      .map(fromRow);
  }

  /** The newest of one session, in order. */
  listForSession(sessionId: string, limit: number): readonly SessionEvent[] {
    return this.#statements
      .prepare<[string, number], Row>(
        `SELECT ${columns} FROM session_events WHERE session_id = ? AND ${isKnown} ORDER BY seq DESC LIMIT ?`,
      )
      .all(sessionId, limit)
      .reverse()
      .map(fromRow);
  }

  /** The newest of a chat that belong to no session, in order. */
  listForChat(messagingGroupId: string, limit: number): readonly SessionEvent[] {
    return this.#statements
      .prepare<[string, number], Row>(
        `SELECT ${columns} FROM session_events
         WHERE session_id IS NULL AND messaging_group_id = ? AND ${isKnown} ORDER BY seq DESC LIMIT ?`,
      )
      .all(messagingGroupId, limit)
      .reverse()
      .map(fromRow);
  }

  /** The newest of one message, in order. */
  listForMessage(messageId: string, limit: number): readonly SessionEvent[] {
    return this.#statements
      .prepare<[string, number], Row>(
        `SELECT ${columns} FROM session_events WHERE message_id = ? AND ${isKnown} ORDER BY seq DESC LIMIT ?`,
      )
      .all(messageId, limit)
      .reverse()
      .map(fromRow);
  }

  /** The last event of a session; undefined where nothing is kept of it. */
  findLast(sessionId: string): SessionEvent | undefined {
    return this.listForSession(sessionId, 1)[0];
  }

  /** Forgets what happened before the given time, `limit` at the most. Returns how many. */
  prune(before: string, limit: number): number {
    return this.#statements
      .prepare(
        `DELETE FROM session_events WHERE seq IN
           (SELECT seq FROM session_events WHERE at < ? ORDER BY at LIMIT ?)`,
      )
      .run(before, limit).changes;
  }

  #trimSession(sessionId: string): void {
    this.#statements
      .prepare(
        `DELETE FROM session_events WHERE session_id = @sessionId AND seq <=
           (SELECT seq FROM session_events WHERE session_id = @sessionId ORDER BY seq DESC LIMIT 1 OFFSET @kept)`,
      )
      .run({ sessionId, kept: this.#limits.perSubject });
  }

  #trimChat(messagingGroupId: string | null): void {
    this.#statements
      .prepare(
        `DELETE FROM session_events WHERE session_id IS NULL AND messaging_group_id IS @messagingGroupId AND seq <=
           (SELECT seq FROM session_events WHERE session_id IS NULL AND messaging_group_id IS @messagingGroupId
            ORDER BY seq DESC LIMIT 1 OFFSET @kept)`,
      )
      .run({ messagingGroupId, kept: this.#limits.perSubject });
  }

  /** Counting goes along the smallest index. */
  #trimAll(): void {
    const count = Number(this.#statements.pluck('SELECT count(*) FROM session_events').get());
    const excess = count - this.#limits.total;
    if (excess <= 0) return;
    this.#statements
      .prepare(
        'DELETE FROM session_events WHERE seq IN (SELECT seq FROM session_events ORDER BY seq LIMIT ?)',
      )
      .run(excess);
  }
}

function bounded(detail: EventDetail): EventDetail {
  const { why, containerId } = detail;
  return {
    ...detail,
    ...(why === undefined ? {} : { why: cutText(why.slice(0, longestWhyUnits), longestWhy) }),
    ...(containerId === undefined ? {} : { containerId: containerId.slice(0, longestId) }),
  };
}

function fromRow(row: Row): SessionEvent {
  // Written by add above only.
  return { ...row, detail: JSON.parse(row.detail ?? '{}') as EventDetail };
}
