import { join } from 'node:path';

/** The places of things below BERTH_HOME. */
export interface HomePaths {
  readonly home: string;
  readonly groupsDir: string;
  readonly dataDir: string;
  readonly centralDb: string;
  readonly backupsDir: string;
  readonly sessionsDir: string;
  readonly logsDir: string;
  readonly processesDir: string;
  readonly socket: string;
  readonly lock: string;
  readonly processFile: string;
  readonly installIdFile: string;
  readonly installHomeFile: string;
  readonly shippedGroupsFile: string;
}

/** Where things lie in a home. */
export function homePaths(home: string): HomePaths {
  const dataDir = join(home, 'data');
  return {
    home,
    groupsDir: join(home, 'groups'),
    dataDir,
    centralDb: join(dataDir, 'central.db'),
    backupsDir: join(dataDir, 'backups'),
    sessionsDir: join(dataDir, 'sessions'),
    logsDir: join(dataDir, 'logs'),
    processesDir: join(dataDir, 'processes'),
    socket: join(dataDir, 'terminal.sock'),
    lock: join(dataDir, 'daemon.lock'),
    processFile: join(dataDir, 'daemon-process.json'),
    installIdFile: join(dataDir, 'install-id'),
    installHomeFile: join(dataDir, 'install-home.json'),
    shippedGroupsFile: join(dataDir, 'shipped-groups.json'),
  };
}
