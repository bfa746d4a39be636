import type { Nudges } from '../../host/sessions/nudges.js';

/** Hints that nobody takes, but for those that are given. */
export function nudgesWith(taken: Partial<Nudges> = {}): Nudges {
  const nobody = (): void => undefined;
  const none = { container: nobody, delivery: nobody, notices: nobody };
  return { ...none, schedule: nobody, rest: nobody, questions: nobody, ...taken };
}
