/** Rows of sessions as a test needs them, whatever the life cycle would say. */
import { SealedStatus } from '../../host/store/session-status.js';
import type { Session, SessionStatus } from '../../host/store/sessions.js';
import type { Store } from '../../host/store/store.js';

export function insertSession(store: Store, session: Session): void {
  SealedStatus.open(store.sessionStatus).insert(session);
}

export function setStatus(
  store: Store,
  id: string,
  status: SessionStatus,
  reason: string | null = null,
): void {
  SealedStatus.open(store.sessionStatus).set(id, status, reason);
}

export function deleteSession(store: Store, id: string): void {
  SealedStatus.open(store.sessionStatus).delete(id);
}
