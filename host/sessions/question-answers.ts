import { normalizeName } from '../../shared/base/name-rules.js';

/** People write an option in any case, and with a full stop. */
export function comparableAnswer(text: string): string {
  return normalizeName(text).trim().replace(/[.!]$/, '').trim().toLowerCase();
}
