import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ContainerSetup } from '../../test/fakes/container-setup.js';
import { settled, until } from '../../test/fakes/waiting.js';
import { setStatus } from '../../test/fakes/session-rows.js';

describe('the end of sessions and of the daemon', () => {
  let setup: ContainerSetup;

  beforeEach(() => {
    setup = new ContainerSetup();
  });

  afterEach(async () => {
    await setup[Symbol.asyncDispose]();
  });

  it('stops the container of a session that is closed while it runs, and gives up what waits', async () => {
    const session = await setup.addWaitingSession();
    setup.reconciler.start();
    await until(() => {
      expect(setup.containerStatus(session)).toBe('running');
    });
    setStatus(setup.store, session.id, 'closed', 'by hand');
    setup.reconciler.nudgeAll();
    await until(() => {
      expect(setup.runtime.removed).toHaveLength(1);
    });
    expect(setup.messagesIn(session.id)).toMatchObject([{ status: 'failed' }]);
    expect(setup.store.dueItems.find(session.id, 'wake')).toBeUndefined();
    expect(setup.logLines.join('')).not.toContain('does not come to rest');
  });

  it('gives up what waits in a session that was closed while it had no container', async () => {
    setup.reconciler.start();
    setup.reconciler.nudgeAll();
    const session = await setup.addWaitingSession();
    setStatus(setup.store, session.id, 'closed', 'by hand');
    setup.reconciler.nudge(session.id);
    await until(() => {
      expect(setup.messagesIn(session.id)).toMatchObject([{ status: 'failed' }]);
    });
    expect(setup.runtime.starts).toEqual([]);
    expect(setup.logLines.join('')).not.toContain('does not come to rest');
  });

  it('starts nothing more once it stops, and waits for what is being started', async () => {
    const session = await setup.addWaitingSession();
    const release = setup.runtime.holdStarts();
    setup.reconciler.start();
    await until(() => {
      expect(setup.runtime.starts).toHaveLength(1);
    });
    let isStopped = false;
    const stopping = setup.reconciler.stop().then(() => {
      isStopped = true;
    });
    const late = await setup.addWaitingSession();
    setup.reconciler.nudge(late.id);
    await settled();
    expect(isStopped).toBe(false);
    release();
    await stopping;
    expect(setup.runtime.starts).toHaveLength(1);
    expect(setup.containerStatus(session)).toBe('running');
    setup.reconciler.nudge(late.id);
    await settled();
    expect(setup.runtime.starts).toHaveLength(1);
  });

  it('ends all containers where the daemon ends with them, and settles each', async () => {
    const sessions = [await setup.addWaitingSession(), await setup.addWaitingSession()];
    setup.reconciler.start();
    await until(() => {
      for (const session of sessions) expect(setup.containerStatus(session)).toBe('running');
    });
    for (const { id } of sessions) setup.runnerOf(id).claim(`m-of-${id}`);
    await setup.reconciler.stop();
    await setup.reconciler.stopContainers();
    expect(setup.runtime.stopped.toSorted()).toEqual(['c-1', 'c-2']);
    expect(setup.runtime.removed.toSorted()).toEqual(['c-1', 'c-2']);
    for (const session of sessions) {
      expect(setup.containerStatus(session)).toBe('stopped');
      expect(setup.describe(session)).toEqual({ [`m-of-${session.id}`]: 'pending 1 +1000' });
    }
  });

  it('leaves containers running where they outlive the daemon, for the next one to adopt', async () => {
    const session = await setup.addWaitingSession();
    setup.reconciler.start();
    await until(() => {
      expect(setup.containerStatus(session)).toBe('running');
    });
    await setup.reconciler.stop();
    expect(setup.runtime.stopped).toEqual([]);
    setup.rebuild().start();
    await until(() => {
      expect(setup.running).toEqual([session.id, session.id]);
    });
    expect(setup.runtime.starts).toHaveLength(1);
    expect(setup.runtime.followed).toEqual(['c-1']);
  });
});
