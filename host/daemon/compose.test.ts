import { mkdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { delay } from '../../shared/base/lifecycle.js';
import { FakeRuntime } from '../../test/fakes/fake-runtime.js';
import { SettlingRoom } from '../../test/fakes/settling-room.js';
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
  let room: SettlingRoom;

  beforeEach(() => {
    room = new SettlingRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  function composeDaemon(): { composed: ComposedDaemon; runtime: SlowRuntime } {
    const flags = { BERTH_HOME: room.root, BERTH_STOP_TIMEOUT_MS: '1000' };
    const { config } = loadConfig(flags);
    mkdirSync(sessionLogsDir(config), { recursive: true });
    const runtime = new SlowRuntime({ clock: room.clock });
    const { store, clock, newId, log } = room;
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
    const other = room.addSession();
    const containerIds = [runtime.put(room.session.id), runtime.put(other.id)];
    await composed.open();
    const giveAnswer = runtime.holdLists();
    // The engine is asked for its containers again, and does not answer.
    runtime.exit(other.id);
    await composed.close('stop');
    giveAnswer();
    expect(room.logLines.filter((line) => line.includes('does not wait'))).toMatchObject([
      expect.stringContaining('"step":"reconciler"'),
    ]);
    expect(runtime.failed).toEqual([]);
    // Side by side, so that either may be the first.
    expect(runtime.stopped.toSorted()).toEqual(containerIds.toSorted());
    expect(runtime.removed.toSorted()).toEqual(containerIds.toSorted());
    expect(room.store.daemonState.find()?.leftRunning).toEqual([]);
  });

  it('says which containers it could not stop', async () => {
    const { composed, runtime } = composeDaemon();
    runtime.put(room.session.id);
    await composed.open();
    await until(() => {
      expect(room.store.sessions.find(room.session.id)?.containerStatus).toBe('running');
    });
    runtime.goAway(new Error('the engine hangs'));
    await composed.close('stop');
    expect(room.store.daemonState.find()?.leftRunning).toEqual([room.session.id]);
  });
});
