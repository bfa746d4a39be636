import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Session } from '../store/sessions.js';
import { ContainerRoom } from '../../test/fakes/container-room.js';
import { settled, until } from '../../test/fakes/waiting.js';

describe('a container that was started with something else than what is there now', () => {
  let room: ContainerRoom;

  beforeEach(() => {
    room = new ContainerRoom();
  });

  afterEach(async () => {
    await room[Symbol.asyncDispose]();
  });

  async function startOne(): Promise<Session> {
    const session = await room.addWaitingSession();
    room.reconciler.start();
    await untilRunning(session, 'c-1');
    return session;
  }

  async function untilRunning(session: Session, containerId: string): Promise<void> {
    await until(() => {
      expect(room.runtime.running(session.id)).toEqual([containerId]);
      expect(room.containerStatus(session)).toBe('running');
    });
  }

  /** The message that it was started for is done. */
  function rest(session: Session): void {
    room.runnerOf(session.id).complete(`m-of-${session.id}`);
    room.store.dueItems.clear(session.id, 'wake');
  }

  function replaceGroupFolder(): void {
    const folder = join(room.groupsDir, room.agentGroup.folder);
    renameSync(folder, `${folder}.old`);
    mkdirSync(folder);
  }

  /** Another daemon: nothing is remembered of what was compared. */
  async function startAgain(): Promise<void> {
    await room.reconciler.stop();
    room.rebuild();
    room.reconciler.start();
  }

  function reasons(): readonly unknown[] {
    return room.logged('container stopped').map(({ reason }) => reason);
  }

  it('goes on where nothing differs', async () => {
    const session = await startOne();
    rest(session);
    await startAgain();
    await until(() => {
      expect(room.logged('container adopted')).toHaveLength(1);
    });
    await settled();
    expect(room.runtime.running(session.id)).toEqual(['c-1']);
  });

  it('is replaced before it is adopted, where it is at rest', async () => {
    const session = await startOne();
    rest(session);
    replaceGroupFolder();
    await startAgain();
    await until(() => {
      expect(reasons()).toEqual(["its agent group's folder was replaced"]);
    });
    await room.post(session, 'next');
    room.reconciler.nudge(session.id);
    await untilRunning(session, 'c-2');
    expect(room.logged('container adopted')).toEqual([]);
  });

  it('is replaced after its turn, where it is in one', async () => {
    const session = await startOne();
    room.runnerOf(session.id).claim(`m-of-${session.id}`);
    replaceGroupFolder();
    await startAgain();
    await until(() => {
      expect(room.logged('container is replaced after its turn')).toHaveLength(1);
      expect(room.logged('container adopted')).toHaveLength(1);
    });
    expect(room.runtime.running(session.id)).toEqual(['c-1']);
    rest(session);
    room.reconciler.noteRest();
    await until(() => {
      expect(reasons()).toEqual(["its agent group's folder was replaced"]);
    });
  });

  it('is replaced in the middle of a turn that nobody will see', async () => {
    const session = await startOne();
    room.runnerOf(session.id).claim(`m-of-${session.id}`);
    const out = room.folders.outDir(session.id);
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
    room.store.agentGroups.update({ ...room.agentGroup, ...change });
    room.reconciler.nudgeAll();
    await until(() => {
      expect(reasons()).toEqual([reason]);
    });
    await settled();
    expect(room.runtime.running(session.id)).toEqual([]);
  });

  it('is not replaced for what it has nothing to do with', async () => {
    const session = await startOne();
    rest(session);
    const containerConfig = '{"tries":9,"keepFilesDays":3}';
    room.store.agentGroups.update({ ...room.agentGroup, containerConfig });
    room.reconciler.nudgeAll();
    await settled();
    expect(room.runtime.running(session.id)).toEqual(['c-1']);
  });

  it('of an earlier version finishes its turn, and is replaced when it is at rest', async () => {
    const session = await room.addWaitingSession();
    room.runnerOf(session.id).claim(`m-of-${session.id}`);
    const containerId = room.runtime.put(session.id, { fingerprint: null });
    room.reconciler.start();
    await until(() => {
      expect(room.logged('container adopted')).toHaveLength(1);
    });
    expect(room.runtime.running(session.id)).toEqual([containerId]);
    rest(session);
    room.reconciler.noteRest();
    await until(() => {
      expect(reasons()).toEqual(['it was started by another version']);
    });
  });

  it('goes on with an old image until the new one is there', async () => {
    const session = await startOne();
    rest(session);
    room.runtime.image = { name: 'image-2', isReady: false };
    await startAgain();
    await until(() => {
      expect(room.logged('container adopted')).toHaveLength(1);
    });
    room.runtime.image = { name: 'image-2', isReady: true };
    await startAgain();
    await until(() => {
      expect(reasons()).toEqual(['its image has changed']);
    });
  });

  it('is given to no conversation, where it is prewarmed', async () => {
    const json = '{"warmSessions":1}';
    room.store.agentGroups.update({ ...room.agentGroup, containerConfig: json });
    room.reconciler.start();
    await room.reconciler.firstListing;
    room.prewarmedPool.start();
    await until(() => {
      expect(room.store.sessions.listPrewarmed()).toMatchObject([{ containerStatus: 'running' }]);
    });
    const [prewarmed] = room.store.sessions.listPrewarmed();
    await room.prewarmedPool.stop();
    await room.reconciler.stop();
    room.runtime.image = { name: 'image-2', isReady: false };
    room.rebuild();
    const release = room.runtime.holdLists();
    room.reconciler.start();
    // A conversation begins before the containers were listed.
    const chat = room.addChat({ platformId: 'another' });
    const key = { agentGroupId: room.agentGroup.id, messagingGroupId: chat.id, threadId: null };
    const session = room.registry.ensure(key);
    expect(session.id).not.toBe(prewarmed!.id);
    release();
    await until(() => {
      expect(reasons()).toEqual(['its image has changed']);
      expect(room.runtime.running(prewarmed!.id)).toEqual(['c-2']);
    });
  });
});
