/** Says whether a message answers a question. Everything that does not is an ordinary message. Pure. */
import { comparableAnswer } from '../sessions/question-answers.js';
import type { Question } from '../store/messages/questions.js';

export interface PossibleAnswer {
  readonly text: string;
  readonly senderId: string;
  readonly threadId: string | null;
}

export interface Answer {
  /** The label of an option; null where the text is an answer of its own. */
  readonly option: string | null;
  readonly text: string;
}

/** `isMeant`: the platform says which question it answers, as by a button: then it need not say the thread. */
export function matchAnswer(
  question: Pick<Question, 'options' | 'freeText' | 'askedUser' | 'address'>,
  { text, senderId, threadId }: PossibleAnswer,
  isMeant = false,
): Answer | undefined {
  const { options, freeText, askedUser, address } = question;
  if (askedUser !== null && askedUser !== senderId) return undefined;
  const needsNoThread = isMeant && threadId === null;
  if (!needsNoThread && threadId !== address.threadId) return undefined;
  const said = comparableAnswer(text);
  const option =
    options.find((label) => said === comparableAnswer(label)) ??
    options.find((_, index) => said === String(index + 1));
  if (option !== undefined) return { option, text };
  return freeText && said !== '' ? { option: null, text } : undefined;
}
