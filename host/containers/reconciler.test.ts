import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BerthError } from '../../shared/base/errors.js';
import { runnerConfigSchema } from '../../shared/protocol/runner-config.js';
import { ContainerRoom } from '../../test/fakes/container-room.js';
import { settled, until } from '../../test/fakes/waiting.js';

const away = new BerthError('engine_unreachable', 'No container engine answers.');

describe('the reconciler', () => {
  let room: ContainerRoom;

  beforeEach(() => {
    room = new ContainerRoom();
  });

  afterEach(async () => {
    await room[Symbol.asyncDispose]();
  });

  /** Resolves when the containers have been listed once more, and all passes after it are over. */
  async function resync(): Promise<void> {
    const { lists } = room.runtime;
    room.reconciler.nudgeAll();
    await until(() => {
      expect(room.runtime.lists).toBeGreaterThan(lists);
    });
    await settled();
  }

  it('starts one container for a session, however often it is nudged', async () => {
    const session = await room.addWaitingSession();
    const release = room.runtime.holdStarts();
    room.reconciler.start();
    for (let nudges = 0; nudges < 20; nudges += 1) room.reconciler.nudge(session.id);
    await until(() => {
      expect(room.runtime.starts).toHaveLength(1);
    });
    expect(room.containerStatus(session)).toBe('starting');
    for (let nudges = 0; nudges < 20; nudges += 1) room.reconciler.nudge(session.id);
    release();
    await until(() => {
      expect(room.containerStatus(session)).toBe('running');
    });
    await resync();
    expect(room.runtime.starts).toHaveLength(1);
    expect(room.running).toEqual([session.id]);
    expect(room.runtime.followed).toEqual([]);
  });

  it('starts a session’s container with its own folders and the settings of its runner', async () => {
    const session = await room.addWaitingSession();
    room.reconciler.start();
    await until(() => {
      expect(room.containerStatus(session)).toBe('running');
    });
    const [spec] = room.runtime.starts;
    expect(spec).toMatchObject({
      name: `berth-install-${session.id}`,
      owner: { installId: 'install', sessionId: session.id, agentGroupId: room.agentGroup.id },
      user: '1000:1000',
      network: 'none',
    });
    expect(spec?.workspace.inDir).toBe(room.folders.inDir(session.id));
    const json = readFileSync(join(spec!.workspace.inDir, 'runner.json'), 'utf8');
    expect(runnerConfigSchema.parse(JSON.parse(json))).toMatchObject({
      sessionId: session.id,
      provider: 'echo',
    });
  });

  it('starts sessions side by side, and no more at once than the engine can do', async () => {
    const release = room.runtime.holdStarts();
    for (let count = 0; count < 7; count += 1) await room.addWaitingSession();
    room.reconciler.start();
    await until(() => {
      expect(room.runtime.starts).toHaveLength(4);
    });
    await settled();
    expect(room.runtime.starts).toHaveLength(4);
    release();
    await until(() => {
      expect(room.runtime.starts).toHaveLength(7);
    });
  });

  it('starts nothing for a session that has nothing to do', async () => {
    const session = room.addSession();
    room.reconciler.start();
    await resync();
    room.reconciler.nudge(session.id);
    await settled();
    expect(room.runtime.starts).toEqual([]);
  });

  it('starts nothing before it knows what runs', async () => {
    const session = await room.addWaitingSession();
    const release = room.runtime.holdLists();
    room.runtime.put(session.id);
    room.reconciler.start();
    room.reconciler.nudge(session.id);
    await settled();
    expect(room.runtime.starts).toEqual([]);
    release();
    await until(() => {
      expect(room.containerStatus(session)).toBe('running');
    });
    expect(room.runtime.starts).toEqual([]);
  });

  it('adopts what an earlier daemon has started, and follows its output', async () => {
    const session = room.addSession({ containerStatus: 'running' });
    const containerId = room.runtime.put(session.id);
    room.reconciler.start();
    await until(() => {
      expect(room.running).toEqual([session.id]);
    });
    expect(room.runtime.followed).toEqual([containerId]);
    await resync();
    expect(room.running).toEqual([session.id]);
    expect(room.runtime.stopped).toEqual([]);
  });

  it('removes containers whose session is unknown, closed or quarantined', async () => {
    const closed = room.addSession({ status: 'closed', containerStatus: 'running' });
    const quarantined = room.addSession({ status: 'set-aside', containerStatus: 'running' });
    const orphan = { installId: 'install', sessionId: 's-gone', agentGroupId: 'ag-gone' };
    const ids = [
      room.runtime.put(closed.id),
      room.runtime.put(quarantined.id),
      room.runtime.put('s-gone', {}, orphan),
      room.runtime.put('s-gone', { state: 'exited' }, orphan),
    ];
    room.reconciler.start();
    await until(() => {
      expect(room.runtime.removed.toSorted()).toEqual(ids);
    });
    expect(room.runtime.stopped.toSorted()).toEqual(ids.slice(0, 3));
    expect(room.containerStatus(closed)).toBe('stopped');
    expect(room.containerStatus(quarantined)).toBe('stopped');
    expect(room.runtime.starts).toEqual([]);
  });

  it('settles what an ended container left before the next one starts', async () => {
    const session = await room.addWaitingSession();
    room.reconciler.start();
    await until(() => {
      expect(room.containerStatus(session)).toBe('running');
    });
    await room.post(session, 'm-2');
    const runner = room.runnerOf(session.id);
    runner.claim(`m-of-${session.id}`);
    const startsThen: number[] = [];
    room.whenEnded = (): void => {
      startsThen.push(room.runtime.starts.length);
    };
    room.clock.advance(60_000);
    room.runtime.exit(session.id);
    await until(() => {
      expect(room.runtime.starts).toHaveLength(2);
    });
    expect(startsThen).toEqual([1]);
    expect(room.describe(session)).toEqual({
      [`m-of-${session.id}`]: 'pending 1 +1000',
      'm-2': 'pending 0',
    });
    await until(() => {
      expect(room.runtime.removed).toEqual(['c-1']);
      expect(room.runtime.running(session.id)).toEqual(['c-2']);
    });
  });

  it('deals with a container that is gone without a trace', async () => {
    const session = await room.addWaitingSession();
    room.reconciler.start();
    await until(() => {
      expect(room.containerStatus(session)).toBe('running');
    });
    room.runnerOf(session.id).claim(`m-of-${session.id}`);
    room.runtime.vanish(session.id);
    await resync();
    await until(() => {
      expect(room.ended).toEqual([session.id]);
    });
    expect(room.containerStatus(session)).toBe('stopped');
    expect(room.describe(session)).toEqual({ [`m-of-${session.id}`]: 'pending 1 +1000' });
    room.clock.advance(1_000);
    room.reconciler.nudge(session.id);
    await until(() => {
      expect(room.runtime.starts).toHaveLength(2);
    });
  });

  it('starts no second container on the word of a listing from before the first', async () => {
    room.reconciler.start();
    await resync();
    const release = room.runtime.holdLists();
    room.reconciler.nudgeAll();
    const { lists } = room.runtime;
    await until(() => {
      expect(room.runtime.lists).toBeGreaterThan(lists);
    });
    const session = await room.addWaitingSession();
    room.reconciler.nudge(session.id);
    await until(() => {
      expect(room.containerStatus(session)).toBe('running');
    });
    release();
    await settled();
    room.reconciler.nudge(session.id);
    await settled();
    expect(room.runtime.starts).toHaveLength(1);
    expect(room.ended).toEqual([]);
    expect(room.containerStatus(session)).toBe('running');
  });

  it('does not settle what could not be written down, and tries again', async () => {
    const session = await room.addWaitingSession();
    room.reconciler.start();
    await until(() => {
      expect(room.containerStatus(session)).toBe('running');
    });
    room.runnerOf(session.id).claim(`m-of-${session.id}`);
    room.whenEnded = (): never => {
      throw away;
    };
    room.runtime.exit(session.id);
    await until(() => {
      expect(room.logLines.join('')).toContain('step failed');
    });
    expect(room.runtime.starts).toHaveLength(1);
    room.whenEnded = (): void => undefined;
    await resync();
    await until(() => {
      expect(room.runtime.removed).toEqual(['c-1']);
    });
    expect(room.describe(session)).toEqual({ [`m-of-${session.id}`]: 'pending 1 +1000' });
  });
});
