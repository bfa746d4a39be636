import { mkdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { delay } from '../../shared/base/lifecycle.js';
import { FakeRuntime } from '../../test/fakes/fake-runtime.js';
import { SettlingSetup } from '../../test/fakes/settling-setup.js';
import { until } from '../../test/fakes/waiting.js';
import { loadConfig } from '../config/config.js';
import { DaemonStatus } from '../store/daemon-status.js';
import { ComposedDaemon } from './compose.js';
import { sessionLogsDir } from './session-logs.js';

/** An engine that takes a moment to end a container, and none of whose calls outlives its client. */
class SlowRuntime extends FakeRuntime {
  readonly failed: string[] = [];
  #isClosed = false;

  override async stop(containerId: string): Promise<void> {
    await delay(50);
    if (this.#isClosed) {
      this.failed.push(containerId);
      throw new Error('the client was closed');
    }
    await super.stop(containerId);
  }

  override close(): Promise<void> {
    this.#isClosed = true;
    return super.close();
  }
}

describe('the composed daemon', () => {
  let setup: SettlingSetup;

  beforeEach(() => {
    setup = new SettlingSetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  function composeDaemon(): { composed: ComposedDaemon; runtime: SlowRuntime } {
    const flags = { BERTH_HOME: setup.root, BERTH_STOP_TIMEOUT_MS: '1000' };
    const { config } = loadConfig(flags);
    mkdirSync(sessionLogsDir(config), { recursive: true });
    const runtime = new SlowRuntime({ clock: setup.clock });
    const { store, clock, newId, log } = setup;
    const deps = {
      ...{ config, store, clock, newId, log, installId: 'install', version: '0' },
      chance: () => 0.5,
      onProgress: () => undefined,
      onFatal: () => undefined,
    };
    return { composed: new ComposedDaemon(deps, runtime, new DaemonStatus(deps)), runtime };
  }

  it('stops its containers, however long what comes before them takes', async () => {
    const { composed, runtime } = composeDaemon();
    const other = setup.addSession();
    const containerIds = [runtime.put(setup.session.id), runtime.put(other.id)];
    await composed.open();
    const giveAnswer = runtime.holdLists();
    // The engine is asked for its containers again, and does not answer.
    runtime.exit(other.id);
    await composed.close('stop');
    giveAnswer();
    expect(setup.logLines.filter((line) => line.includes('does not wait'))).toMatchObject([
      expect.stringContaining('"step":"reconciler"'),
    ]);
    expect(runtime.failed).toEqual([]);
    // Side by side, so that either may be the first.
    expect(runtime.stopped.toSorted()).toEqual(containerIds.toSorted());
    expect(runtime.removed.toSorted()).toEqual(containerIds.toSorted());
    expect(setup.store.daemonState.find()?.leftRunning).toEqual([]);
  });

  it('says which containers it could not stop', async () => {
    const { composed, runtime } = composeDaemon();
    runtime.put(setup.session.id);
    await composed.open();
    await until(() => {
      expect(setup.store.sessions.find(setup.session.id)?.containerStatus).toBe('running');
    });
    runtime.goAway(new Error('the engine hangs'));
    await composed.close('stop');
    expect(setup.store.daemonState.find()?.leftRunning).toEqual([setup.session.id]);
  });
});
