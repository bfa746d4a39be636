import { toBerthError } from '../../shared/base/errors.js';
import { parseTriggerRules, type TriggerRules } from '../store/trigger-rules.js';
import {
  responseScopes,
  sessionModes,
  type ResponseScope,
  type SessionMode,
  type Wiring,
} from '../store/wirings.js';

export interface WiringRules {
  readonly trigger: TriggerRules;
  readonly scope: ResponseScope;
  readonly mode: SessionMode;
}

/** A row that was edited by hand may not parse: it then answers nothing, and says why. */
export function readWiringRules(wiring: Wiring): WiringRules | { readonly unusable: string } {
  const scope = responseScopes.find((known) => known === wiring.responseScope);
  if (scope === undefined) return { unusable: `unknown response_scope ${wiring.responseScope}` };
  const mode = sessionModes.find((known) => known === wiring.sessionMode);
  if (mode === undefined) return { unusable: `unknown session_mode ${wiring.sessionMode}` };
  try {
    return { trigger: parseTriggerRules(wiring.triggerRules), scope, mode };
  } catch (error) {
    return { unusable: toBerthError(error).message };
  }
}
