import { join } from 'node:path';
import type { Config } from '../config/config.js';

/** The file that the output of a session's container goes to. */
export function sessionLogPath(config: Config, sessionId: string): string {
  return join(sessionLogsDir(config), `${sessionId}.log`);
}

export function sessionLogsDir(config: Config): string {
  return join(config.paths.logsDir, 'sessions');
}
