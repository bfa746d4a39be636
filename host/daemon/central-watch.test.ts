import { renameSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../store/central/central-db.js';
import { TempHome } from '../../test/fakes/temp-home.js';
import { until } from '../../test/fakes/waiting.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import { CentralWatch } from './central-watch.js';
import { SessionRegistry } from '../sessions/session-registry.js';

describe('the watch on what commands write', () => {
  let home: TempHome;
  let command: Store;
  let watch: CentralWatch;
  let running: Session;
  let stopped: Session;
  let changes: number;
  let replaced = 0;

  beforeEach(async () => {
    home = new TempHome();
    running = home.addSession({ containerStatus: 'running' });
    stopped = home.addSession();
    await home.post(running, 'm-1');
    await home.post(stopped, 'm-2');
    command = openStore(home.centralPaths, home.clock.now()).store;
    changes = 0;
    replaced = 0;
    watch = new CentralWatch({
      store: home.store,
      mailbox: home.mailbox,
      sessions: new SessionRegistry(home),
      log: home.log,
      pollIntervalMs: 5,
      path: home.centralPaths.centralDb,
      onReplaced: () => {
        replaced += 1;
      },
      onChange: () => {
        changes += 1;
      },
    });
    watch.start();
    await until(() => {
      expect(changes).toBe(1);
    });
  });

  it('notices when the file is taken away while it is open', async () => {
    const { centralDb } = home.centralPaths;
    renameSync(centralDb, `${centralDb}.away`);
    await until(() => {
      expect(replaced).toBeGreaterThan(0);
    });
  });

  afterEach(async () => {
    await watch.stop();
    command.close();
    home[Symbol.dispose]();
  });

  function addDestination(name: string): void {
    command.destinations.insert(
      running.agentGroupId,
      {
        name,
        displayName: null,
        type: 'channel',
        channelType: 'fake',
        platformId: name,
        agentGroupId: null,
      },
      home.clock.iso(),
    );
  }

  function destinations(session: Session): readonly unknown[] {
    return home.inbound(session.id, (db) =>
      db.prepare('SELECT name FROM destinations').pluck().all(),
    );
  }

  it('brings changed destinations to running sessions, without a restart', async () => {
    addDestination('ops');
    await until(() => {
      expect(destinations(running)).toEqual(['ops']);
    });
    expect(changes).toBe(2);
    expect(destinations(stopped)).toEqual([]);
    command.destinations.delete(running.agentGroupId, 'ops');
    await until(() => {
      expect(destinations(running)).toEqual([]);
    });
  });

  it('is not woken by what the daemon itself writes', async () => {
    home.store.sessions.touch(stopped.id, home.clock.iso());
    home.store.dueItems.clear(stopped.id, 'wake');
    addDestination('ops');
    await until(() => {
      expect(destinations(running)).toEqual(['ops']);
    });
    expect(changes).toBe(2);
  });

  it('goes on past a session whose file cannot be written', async () => {
    const other = home.addSession({ containerStatus: 'running' });
    await home.post(other, 'm-3');
    home.inbound(running.id, (db) => {
      db.exec('DROP TABLE destinations');
    });
    addDestination('ops');
    await until(() => {
      expect(destinations(other)).toEqual(['ops']);
    });
    expect(home.logLines.join('')).toContain('session not brought up to date');
  });
});
