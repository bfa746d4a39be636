/** Which dead letters a command is about. */
import { isoAt } from '../../../shared/base/clock.js';
import { BerthError } from '../../../shared/base/errors.js';
import type { DeadLetter, DeadLetterFilter } from '../../store/messages/dead-letters.js';
import type { Store } from '../../store/store.js';
import { usageError } from '../command/command-context.js';
import { getSession } from '../../operations/references.js';

export interface FilterOptions {
  readonly direction?: 'in' | 'out';
  readonly session?: string;
}

export interface ChoiceOptions extends FilterOptions {
  readonly all?: boolean;
  /** In days. */
  readonly before?: number;
}

const dayMs = 86_400_000;
/** Shorter ones would fit by accident. */
const shortestPrefix = 4;
const shownCandidates = 6;

/** The newest first. */
export function listDeadLetters(
  store: Store,
  { direction, session }: FilterOptions,
  more: Pick<DeadLetterFilter, 'before'> = {},
): readonly DeadLetter[] {
  return store.deadLetters.list({
    ...more,
    ...(direction === undefined ? {} : { direction }),
    ...(session === undefined ? {} : { sessionId: getSession(store, session).id }),
  });
}

/** Throws a usage error where it is not said which, or in two ways. */
export function assertChoice(references: readonly string[], options: ChoiceOptions): void {
  const { all = false, before } = options;
  const ways = [references.length > 0, all, before !== undefined].filter(Boolean);
  if (ways.length === 1) return;
  throw usageError('Say which: by their messages, or with one of the options.');
}

/**
 * Those that are named, or all, or all that are older than so many days. Throws not_found, and invalid_input where a
 * name fits several.
 */
export function chooseDeadLetters(
  store: Store,
  references: readonly string[],
  options: ChoiceOptions,
  nowMs: number,
): readonly DeadLetter[] {
  const { before } = options;
  const more = before === undefined ? {} : { before: isoAt(nowMs - before * dayMs) };
  const letters = listDeadLetters(store, options, more);
  if (references.length === 0) return letters;
  const chosen = references.map((reference) => pickDeadLetter(letters, reference));
  return [...new Set(chosen)];
}

/** By the id of its message or the beginning of one, with the session before it and a slash where several fit. */
export function pickDeadLetter(letters: readonly DeadLetter[], reference: string): DeadLetter {
  const ways: readonly ((letter: DeadLetter) => boolean)[] = [
    ({ messageId }) => messageId === reference,
    (letter) => nameOf(letter) === reference,
    (letter) => isBeginning(letter, reference),
  ];
  for (const fits of ways) {
    const [one, ...others] = letters.filter(fits);
    if (one === undefined) continue;
    if (others.length === 0) return one;
    throw severalFit(reference, [one, ...others]);
  }
  throw new BerthError('not_found', `There is no dead letter ${JSON.stringify(reference)}.`, {
    next: 'See `berth dead-letters list`.',
  });
}

function isBeginning(letter: DeadLetter, reference: string): boolean {
  const [, session = '', message = reference] = /^([^/]+)\/(.+)$/s.exec(reference) ?? [];
  return (
    message.length >= shortestPrefix &&
    letter.messageId.startsWith(message) &&
    letter.sessionId.startsWith(session)
  );
}

function severalFit(reference: string, letters: readonly DeadLetter[]): BerthError {
  const names = letters
    .slice(0, shownCandidates)
    .map((letter) => `${nameOf(letter)} (${letter.direction})`);
  const more = letters.length - names.length;
  return new BerthError(
    'invalid_input',
    `${JSON.stringify(reference)} may be ${names.join(', ')}${more > 0 ? ` or one of ${more} more` : ''}.`,
    { next: 'Write more of it, or say which with --session or --direction.' },
  );
}

/** `s-1/m-1` */
function nameOf({ sessionId, messageId }: DeadLetter): string {
  return `${sessionId}/${messageId}`;
}
