import { expect, it } from 'vitest';
import { findSupervisor } from './supervisor.js';

it.each([
  [{ SYSTEMD_EXEC_PID: '42', INVOCATION_ID: 'a' }, 42, 'systemd'],
  [{ SYSTEMD_EXEC_PID: '42', INVOCATION_ID: 'a' }, 43, null],
  [{ SUPERVISOR_ENABLED: '1' }, 42, 'supervisord'],
  [{ pm_id: '0' }, 42, 'pm2'],
  [{}, 1, 'the container engine'],
  [{}, 42, null],
])('with %j the process %i is started again by %s', (environment, pid, supervisor) => {
  expect(findSupervisor(environment, pid)).toBe(supervisor);
});
