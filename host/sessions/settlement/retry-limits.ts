import { readContainerConfig } from '../../store/container-config.js';
import type { Session } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';
import type { RetryLimits } from '../retry-policy.js';

/** How often the messages of a session are tried, in both directions: its agent group says. */
export function retryLimitsOf(store: Store, session: Session): RetryLimits {
  const group = store.agentGroups.find(session.agentGroupId);
  const { tries, retryBaseMs } = readContainerConfig(group?.containerConfig ?? null);
  return { tries, baseMs: retryBaseMs };
}
