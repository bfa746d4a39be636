import type { EventDetail, SessionEvent } from '../store/session-events.js';
import { describeEvent } from './event-words.js';

/** A thing that is waited for, or that nothing is. */
export interface Wait {
  /** Sentences without a time in them. */
  readonly what: string;
  /** When it goes on by itself, ISO-8601; null: that depends on something else. */
  readonly until: string | null;
  /** Sentences that say what a person can do about it, with commands in backticks. Null: nothing needs to be done. */
  readonly next: string | null;
  /** The session that it is about, where it is about one. */
  readonly session: string | null;
}

export interface Happening {
  /** ISO-8601. */
  readonly at: string;
  /** A sentence without a time in it. */
  readonly what: string;
  /** When it was to go on, ISO-8601. */
  readonly until: string | null;
}

export interface Explanation {
  readonly kind: 'session' | 'chat' | 'message';
  /** A session's or a message's id; of a chat `channel:id`. */
  readonly id: string;
  /** Names it, for a person. */
  readonly title: string;
  /** The most important comes first; there always is one. */
  readonly now: readonly Wait[];
  /** The oldest first. */
  readonly happened: readonly Happening[];
}

export function waitFor(what: string, fields: Partial<Omit<Wait, 'what'>> = {}): Wait {
  return { what, until: null, next: null, session: null, ...fields };
}

export function happeningOf({ at, name, detail }: SessionEvent): Happening {
  return { at, what: describeEvent(name, detail), until: nextOf(detail) };
}

function nextOf({ nextAt }: EventDetail): string | null {
  return nextAt ?? null;
}

/** `1 message`, `2 messages` */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** As a sentence, whatever the reason ends with. */
export function endSentence(text: string): string {
  return /[.!?…]$/u.test(text) ? text : `${text}.`;
}
