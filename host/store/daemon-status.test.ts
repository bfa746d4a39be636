import { describe, expect, it } from 'vitest';
import { openDatabase } from '../../shared/base/sqlite/sqlite.js';
import { TempHome } from '../../test/fakes/temp-home.js';
import { until } from '../../test/fakes/waiting.js';
import { DaemonStatus } from './daemon-status.js';

describe('what the daemon says about itself', () => {
  it('waits while the database cannot be written, and throws nothing', async () => {
    using home = new TempHome();
    const status = new DaemonStatus({
      store: home.store,
      clock: home.clock,
      log: home.log,
      version: '0.0.0',
    });
    status.say({ phase: 'starting' });
    home.store.limitWaits(0);
    const other = openDatabase(home.centralPaths.centralDb, { mode: 'write', busyTimeoutMs: 0 });
    other.exec('BEGIN IMMEDIATE');
    status.say({ phase: 'ready' });
    status.say({ problem: 'the engine is away' });
    expect(home.store.daemonState.find()).toMatchObject({ phase: 'starting', problem: null });
    other.close();
    await until(() => {
      expect(home.store.daemonState.find()).toMatchObject({
        phase: 'ready',
        problem: 'the engine is away',
      });
    });
    expect(home.logLines.filter((line) => line.includes('status not written'))).toHaveLength(1);
  });
});
