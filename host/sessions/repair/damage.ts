import { hasCode, toBerthError } from '../../../shared/base/errors.js';
import { isHotJournal } from '../../../shared/base/sqlite/sqlite.js';
import { inboundDbName, outboundDbName } from '../../../shared/protocol/workspace.js';
import type { MailboxFile } from '../../store/repairs.js';

/** A failure to use a session's files, and its meaning. */
export type Damage =
  /** A writer of outbound.db was interrupted in a commit. */
  | { readonly kind: 'interrupted'; readonly reason: string }
  /** That file can be replaced. */
  | { readonly kind: 'damaged'; readonly file: MailboxFile; readonly reason: string }
  /** The files cannot be reached at all: nothing can be replaced either. `mayPass`: unless it lasts, that is no damage. */
  | { readonly kind: 'out-of-reach'; readonly reason: string; readonly mayPass: boolean };

/** Undefined: the failure is of another kind, and may pass. */
export function findDamage(error: unknown): Damage | undefined {
  const { message: reason } = toBerthError(error);
  if (isHotJournal(error)) return { kind: 'interrupted', reason };
  if (!hasCode(error, 'database_corrupt', 'database_missing', 'database_unreadable')) {
    return undefined;
  }
  const isReplaceable = error.code !== 'database_unreadable' || error.facts['isOrdinary'] === false;
  const path = String(error.facts['path'] ?? '');
  const file = [inboundDbName, outboundDbName].find((name) => path.endsWith(name));
  if (isReplaceable && file !== undefined) return { kind: 'damaged', file, reason };
  return { kind: 'out-of-reach', reason, mayPass: error.facts['mayPass'] === true };
}
