import type { Environment } from './dot-env.js';

/**
 * Finds what starts this process again when it ends, as far as that can be told; null: nobody. A shell below a service
 * has the service's variables too, so that systemd's word counts only for the process that it names. Sources:
 * systemd.exec(5), SYSTEMD_EXEC_PID; supervisord.org/subprocess.html, SUPERVISOR_ENABLED; pm2.keymetrics.io, pm_id.
 */
export function findSupervisor(environment: Environment, pid: number): string | null {
  if (environment['SYSTEMD_EXEC_PID'] === String(pid)) return 'systemd';
  if (environment['SUPERVISOR_ENABLED'] === '1') return 'supervisord';
  if (environment['pm_id'] !== undefined) return 'pm2';
  // The first process of a container.
  return pid === 1 ? 'the container engine' : null;
}
