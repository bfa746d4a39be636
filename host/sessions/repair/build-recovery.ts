import { FileMender, type FileMenderDeps } from './file-mender.js';
import { InboundRepair, type InboundRepairDeps } from './inbound-repair.js';
import { OutboundRepair, type OutboundRepairDeps } from './outbound-repair.js';
import { SessionRecovery, type SessionRecoveryDeps } from './session-recovery.js';

export type RecoveryDeps = Omit<SessionRecoveryDeps, 'mender'> &
  Omit<FileMenderDeps, 'inboundRepair' | 'outboundRepair'> &
  InboundRepairDeps &
  OutboundRepairDeps;

/** The parts of a recovery, joined. */
export function buildRecovery(deps: RecoveryDeps): SessionRecovery {
  const mender = new FileMender({
    ...deps,
    inboundRepair: new InboundRepair(deps),
    outboundRepair: new OutboundRepair(deps),
  });
  return new SessionRecovery({ ...deps, mender });
}
