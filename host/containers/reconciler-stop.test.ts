import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ContainerRoom } from '../../test/fakes/container-room.js';
import { settled, until } from '../../test/fakes/waiting.js';

describe('the end of sessions and of the daemon', () => {
  let room: ContainerRoom;

  beforeEach(() => {
    room = new ContainerRoom();
  });

  afterEach(async () => {
    await room[Symbol.asyncDispose]();
  });

  it('stops the container of a session that is closed while it runs, and gives up what waits', async () => {
    const session = await room.addWaitingSession();
    room.reconciler.start();
    await until(() => {
      expect(room.containerStatus(session)).toBe('running');
    });
    room.store.sessions.setStatus(session.id, 'closed', 'by hand');
    room.reconciler.nudgeAll();
    await until(() => {
      expect(room.runtime.removed).toHaveLength(1);
    });
    expect(room.messagesIn(session.id)).toMatchObject([{ status: 'failed' }]);
    expect(room.store.dueItems.find(session.id, 'wake')).toBeUndefined();
    expect(room.logLines.join('')).not.toContain('does not come to rest');
  });

  it('gives up what waits in a session that was closed while it had no container', async () => {
    room.reconciler.start();
    room.reconciler.nudgeAll();
    const session = await room.addWaitingSession();
    room.store.sessions.setStatus(session.id, 'closed', 'by hand');
    room.reconciler.nudge(session.id);
    await until(() => {
      expect(room.messagesIn(session.id)).toMatchObject([{ status: 'failed' }]);
    });
    expect(room.runtime.starts).toEqual([]);
    expect(room.logLines.join('')).not.toContain('does not come to rest');
  });

  it('starts nothing more once it stops, and waits for what is being started', async () => {
    const session = await room.addWaitingSession();
    const release = room.runtime.holdStarts();
    room.reconciler.start();
    await until(() => {
      expect(room.runtime.starts).toHaveLength(1);
    });
    let isStopped = false;
    const stopping = room.reconciler.stop().then(() => {
      isStopped = true;
    });
    const late = await room.addWaitingSession();
    room.reconciler.nudge(late.id);
    await settled();
    expect(isStopped).toBe(false);
    release();
    await stopping;
    expect(room.runtime.starts).toHaveLength(1);
    expect(room.containerStatus(session)).toBe('running');
    room.reconciler.nudge(late.id);
    await settled();
    expect(room.runtime.starts).toHaveLength(1);
  });

  it('ends all containers where the daemon ends with them, and settles each', async () => {
    const sessions = [await room.addWaitingSession(), await room.addWaitingSession()];
    room.reconciler.start();
    await until(() => {
      for (const session of sessions) expect(room.containerStatus(session)).toBe('running');
    });
    for (const { id } of sessions) room.runnerOf(id).claim(`m-of-${id}`);
    await room.reconciler.stop();
    await room.reconciler.stopContainers();
    expect(room.runtime.stopped.toSorted()).toEqual(['c-1', 'c-2']);
    expect(room.runtime.removed.toSorted()).toEqual(['c-1', 'c-2']);
    for (const session of sessions) {
      expect(room.containerStatus(session)).toBe('stopped');
      expect(room.describe(session)).toEqual({ [`m-of-${session.id}`]: 'pending 1 +1000' });
    }
  });

  it('leaves containers running where they outlive the daemon, for the next one to adopt', async () => {
    const session = await room.addWaitingSession();
    room.reconciler.start();
    await until(() => {
      expect(room.containerStatus(session)).toBe('running');
    });
    await room.reconciler.stop();
    expect(room.runtime.stopped).toEqual([]);
    room.rebuild().start();
    await until(() => {
      expect(room.running).toEqual([session.id, session.id]);
    });
    expect(room.runtime.starts).toHaveLength(1);
    expect(room.runtime.followed).toEqual(['c-1']);
  });
});
