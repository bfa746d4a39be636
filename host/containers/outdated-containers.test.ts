import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Session } from '../store/sessions.js';
import { ContainerSetup } from '../../test/fakes/container-setup.js';
import { settled, until } from '../../test/fakes/waiting.js';

describe('a container that was started with something else than what is there now', () => {
  let setup: ContainerSetup;

  beforeEach(() => {
    setup = new ContainerSetup();
  });

  afterEach(async () => {
    await setup[Symbol.asyncDispose]();
  });

  async function startOne(): Promise<Session> {
    const session = await setup.addWaitingSession();
    setup.reconciler.start();
    await untilRunning(session, 'c-1');
    return session;
  }

  async function untilRunning(session: Session, containerId: string): Promise<void> {
    await until(() => {
      expect(setup.runtime.running(session.id)).toEqual([containerId]);
      expect(setup.containerStatus(session)).toBe('running');
    });
  }

  /** The message that it was started for is done. */
  function rest(session: Session): void {
    setup.runnerOf(session.id).complete(`m-of-${session.id}`);
    setup.store.dueItems.clear(session.id, 'wake');
  }

  function replaceGroupFolder(): void {
    const folder = join(setup.groupsDir, setup.agentGroup.folder);
    renameSync(folder, `${folder}.old`);
    mkdirSync(folder);
  }

  /** Another daemon: nothing is remembered of what was compared. */
  async function startAgain(): Promise<void> {
    await setup.reconciler.stop();
    setup.rebuild();
    setup.reconciler.start();
  }

  function reasons(): readonly unknown[] {
    return setup.logged('container stopped').map(({ reason }) => reason);
  }

  it('goes on where nothing differs', async () => {
    const session = await startOne();
    rest(session);
    await startAgain();
    await until(() => {
      expect(setup.logged('container adopted')).toHaveLength(1);
    });
    await settled();
    expect(setup.runtime.running(session.id)).toEqual(['c-1']);
  });

  it('is replaced before it is adopted, where it is at rest', async () => {
    const session = await startOne();
    rest(session);
    replaceGroupFolder();
    await startAgain();
    await until(() => {
      expect(reasons()).toEqual(["its agent group's folder was replaced"]);
    });
    await setup.post(session, 'next');
    setup.reconciler.nudge(session.id);
    await untilRunning(session, 'c-2');
    expect(setup.logged('container adopted')).toEqual([]);
  });

  it('is replaced after its turn, where it is in one', async () => {
    const session = await startOne();
    setup.runnerOf(session.id).claim(`m-of-${session.id}`);
    replaceGroupFolder();
    await startAgain();
    await until(() => {
      expect(setup.logged('container is replaced after its turn')).toHaveLength(1);
      expect(setup.logged('container adopted')).toHaveLength(1);
    });
    expect(setup.runtime.running(session.id)).toEqual(['c-1']);
    rest(session);
    setup.reconciler.noteRest();
    await until(() => {
      expect(reasons()).toEqual(["its agent group's folder was replaced"]);
    });
  });

  it('is replaced in the middle of a turn that nobody will see', async () => {
    const session = await startOne();
    setup.runnerOf(session.id).claim(`m-of-${session.id}`);
    const out = setup.folders.outDir(session.id);
    renameSync(out, `${out}.old`);
    mkdirSync(out);
    await startAgain();
    await untilRunning(session, 'c-2');
    expect(reasons()).toEqual(['its session folder was replaced']);
    rmSync(`${out}.old`, { recursive: true });
  });

  it.each([
    ['its container config has changed', { containerConfig: '{"memoryMb":512}' }],
    ['its settings have changed', { name: 'Renamed' }],
  ])('is replaced while the daemon runs: %s', async (reason, change) => {
    const session = await startOne();
    rest(session);
    setup.store.agentGroups.update({ ...setup.agentGroup, ...change });
    setup.reconciler.nudgeAll();
    await until(() => {
      expect(reasons()).toEqual([reason]);
    });
    await settled();
    expect(setup.runtime.running(session.id)).toEqual([]);
  });

  it('is not replaced for what it has nothing to do with', async () => {
    const session = await startOne();
    rest(session);
    const containerConfig = '{"tries":9,"keepFilesDays":3}';
    setup.store.agentGroups.update({ ...setup.agentGroup, containerConfig });
    setup.reconciler.nudgeAll();
    await settled();
    expect(setup.runtime.running(session.id)).toEqual(['c-1']);
  });

  it('of an earlier version finishes its turn, and is replaced when it is at rest', async () => {
    const session = await setup.addWaitingSession();
    setup.runnerOf(session.id).claim(`m-of-${session.id}`);
    const containerId = setup.runtime.put(session.id, { fingerprint: null });
    setup.reconciler.start();
    await until(() => {
      expect(setup.logged('container adopted')).toHaveLength(1);
    });
    expect(setup.runtime.running(session.id)).toEqual([containerId]);
    rest(session);
    setup.reconciler.noteRest();
    await until(() => {
      expect(reasons()).toEqual(['it was started by another version']);
    });
  });

  it('goes on with an old image until the new one is there', async () => {
    const session = await startOne();
    rest(session);
    setup.runtime.image = { name: 'image-2', isReady: false };
    await startAgain();
    await until(() => {
      expect(setup.logged('container adopted')).toHaveLength(1);
    });
    setup.runtime.image = { name: 'image-2', isReady: true };
    await startAgain();
    await until(() => {
      expect(reasons()).toEqual(['its image has changed']);
    });
  });

  it('is given to no conversation, where it is prewarmed', async () => {
    const json = '{"warmSessions":1}';
    setup.store.agentGroups.update({ ...setup.agentGroup, containerConfig: json });
    setup.reconciler.start();
    await setup.reconciler.firstListing;
    setup.prewarmedPool.start();
    await until(() => {
      expect(setup.store.sessions.listPrewarmed()).toMatchObject([{ containerStatus: 'running' }]);
    });
    const [prewarmed] = setup.store.sessions.listPrewarmed();
    await setup.prewarmedPool.stop();
    await setup.reconciler.stop();
    setup.runtime.image = { name: 'image-2', isReady: false };
    setup.rebuild();
    const release = setup.runtime.holdLists();
    setup.reconciler.start();
    // A conversation begins before the containers were listed.
    const chat = setup.addChat({ platformId: 'another' });
    const key = { agentGroupId: setup.agentGroup.id, messagingGroupId: chat.id, threadId: null };
    const session = setup.registry.ensure(key);
    expect(session.id).not.toBe(prewarmed!.id);
    release();
    await until(() => {
      expect(reasons()).toEqual(['its image has changed']);
      expect(setup.runtime.running(prewarmed!.id)).toEqual(['c-2']);
    });
  });
});
