import { runPython, type Attempt } from './attempt.js';

/** Holds a write lease on outbound.db and touches it: whoever opens it waits until the kernel breaks the lease (45 s). */
export function holdLease(outDir: string): Promise<Attempt> {
  return runPython('hold_lease.py', outDir, 'outbound.db');
}
