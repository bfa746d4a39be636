import { toBerthError } from '../../shared/base/errors.js';
import type { Verdict } from '../store/messages/received-messages.js';
import type { Written } from './session-poster.js';

/** A message on its way into one session. */
export interface Delivery {
  readonly verdict: Verdict;
  /** Its session is another one where the first was damaged. Undefined where it goes to none. */
  readonly written: Promise<Written | undefined>;
  /** Done in the transaction that records the message. */
  readonly alongside?: () => void;
}

/**
 * Returns which wirings have the message, and which should have it and could not be reached. Throws where none could
 * be reached: when the message is sent again, it is as if it had never come. `isKnown`: all that have the message had
 * it before.
 */
export async function awaitWrites(deliveries: readonly Delivery[]): Promise<{
  readonly verdicts: readonly Verdict[];
  readonly missed: readonly Verdict[];
  readonly isKnown: boolean;
}> {
  const verdicts: Verdict[] = [];
  const missed: Verdict[] = [];
  let failure: unknown;
  let isKnown = true;
  const settled = await Promise.allSettled(deliveries.map(({ written }) => written));
  for (const [index, result] of settled.entries()) {
    const verdict = deliveries[index]?.verdict;
    if (verdict === undefined) continue;
    if (result.status === 'rejected') {
      failure = result.reason;
      const reason = `its session could not take it: ${toBerthError(failure).message}`;
      missed.push({ ...verdict, verdict: 'refused', reason });
    } else if (result.value === undefined) verdicts.push(verdict);
    else {
      verdicts.push({ ...verdict, sessionId: result.value.sessionId });
      if (result.value.isNew) isKnown = false;
    }
  }
  const isTaken = verdicts.some(({ verdict }) => verdict !== 'refused');
  if (missed.length > 0 && !isTaken) throw toBerthError(failure);
  return { verdicts: [...verdicts, ...missed], missed, isKnown: isKnown && isTaken };
}
