/** Keeps what is known while a session's rows are gone through. */
import type { OutboundRow } from '../../shared/protocol/mailbox/outbound-reader.js';
import type { QuestionView } from '../channels/channel.js';
import type { DeliveryRetry } from '../store/messages/delivery-retries.js';
import type { Session } from '../store/sessions.js';
import type { ActionOutcome } from './actions/action.js';
import type { RequestedAction } from './actions/action-handler.js';
import type { DeliveryDraft } from './delivery-draft.js';
import type { DeliveryDecision, DeliveryFacts } from './delivery-policy.js';
import type { PassStart } from './pass-starts.js';
import type { PlannedSend } from './planned-send.js';
import type { Undelivered } from './undelivered.js';

/** The facts that are found out while a session's rows are gone through. */
export interface RowPass {
  readonly session: Session;
  readonly now: string;
  readonly retries: ReadonlyMap<string, DeliveryRetry>;
  /** Chats that cannot take anything now: what comes later for them waits, to keep the order. */
  readonly blocked: Set<string>;
  readonly draft: DeliveryDraft;
  /** Of these rows nothing is noted yet. */
  readonly isUnseen: boolean;
  /** ISO-8601: when to pass again. */
  earliest: string | undefined;
  /** The fields of a PassStart, as far as it has come. */
  settledThrough: number;
  waitsThrough: number;
  waitsUntil: string | undefined;
  /** Whether all rows so far are final. */
  isContiguous: boolean;
  /** Whether all rows so far are final, or wait for their time only. */
  isInTime: boolean;
  /** An action cannot be done now: those after it wait with it. */
  isBusy: boolean;
  /** How many rows wait for their time. */
  later: number;
  /** How many rows will never be sent. */
  refused: number;
  /** How many of them are no messages at all. */
  malformed: number;
}

/** The results of a session's rows. */
export interface DeliveredRows {
  /** False where the daemon stops before the last of them. */
  readonly isComplete: boolean;
  /** When to read them again, ISO-8601; undefined: when there are new ones. */
  readonly dueAt: string | undefined;
}

export type Goal = Omit<DeliveryFacts, 'record' | 'maybeSent'>;

export interface PlannedAction extends RequestedAction {
  readonly facts: DeliveryFacts;
}

/** The decisions on the rows that are read together. */
export interface Page {
  /** The goals of its rows: many go to the same chat. */
  readonly goals: Map<string, Goal>;
  readonly sends: PlannedSend[];
  readonly actions: PlannedAction[];
  readonly refusals: Undelivered[];
  /** Rows whose time has not come. */
  readonly later: Set<string>;
  /** Rows that an earlier failure keeps back. */
  readonly waiting: Set<string>;
}

/** A row, and where its decision puts it. */
export interface Decided {
  readonly row: OutboundRow;
  readonly facts: DeliveryFacts;
  readonly decision: DeliveryDecision;
  readonly question?: QuestionView;
}

export type ActionPost = NonNullable<ActionOutcome['post']>;

export function beginRowPass(
  session: Session,
  {
    now,
    retries,
    start,
    draft,
  }: Pick<RowPass, 'now' | 'retries' | 'draft'> & { readonly start: PassStart },
): RowPass {
  return {
    session,
    now,
    retries,
    blocked: new Set(),
    draft,
    ...start,
    earliest: start.waitsUntil,
    isContiguous: start.waitsUntil === undefined,
    isInTime: true,
    isBusy: false,
    later: 0,
    refused: 0,
    malformed: 0,
  };
}

export function newPage(): Page {
  return {
    goals: new Map(),
    sends: [],
    actions: [],
    refusals: [],
    later: new Set(),
    waiting: new Set(),
  };
}

/** Of two times, ISO-8601. */
export function earlier(one: string | undefined, other: string): string {
  return one === undefined || other < one ? other : one;
}
