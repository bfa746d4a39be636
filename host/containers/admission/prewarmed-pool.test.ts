import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ContainerRoom } from '../../../test/fakes/container-room.js';
import { settled, until } from '../../../test/fakes/waiting.js';
import type { PrewarmedSession } from '../../store/sessions.js';

describe('prewarmed sessions', () => {
  let room: ContainerRoom;

  beforeEach(() => {
    room = new ContainerRoom({ maxContainers: 4 });
    room.reconciler.start();
    room.prewarmedPool.start();
  });

  afterEach(async () => {
    await room[Symbol.asyncDispose]();
  });

  function configure(config: Record<string, unknown>): void {
    const containerConfig = JSON.stringify(config);
    room.store.agentGroups.update({ ...room.agentGroup, containerConfig });
    room.prewarmedPool.nudge();
  }

  function prewarmedSessions(): readonly PrewarmedSession[] {
    return room.store.sessions.listPrewarmed();
  }

  async function expectPrewarmed(count: number): Promise<readonly PrewarmedSession[]> {
    await until(() => {
      expect(prewarmedSessions().map(({ containerStatus }) => containerStatus)).toEqual(
        Array.from({ length: count }, () => 'running'),
      );
    });
    return prewarmedSessions();
  }

  const conversation = (): Parameters<typeof room.registry.ensure>[0] => ({
    agentGroupId: room.agentGroup.id,
    messagingGroupId: room.chat.id,
    threadId: 't-new',
  });

  it('are kept running, as many as the agent group asks for, with a mailbox that is ready', async () => {
    configure({ warmSessions: 2 });
    for (const { id } of await expectPrewarmed(2)) {
      expect(existsSync(`${room.folders.inDir(id)}/inbound.db`)).toBe(true);
    }
    configure({ warmSessions: 2 });
    await settled();
    expect(prewarmedSessions()).toHaveLength(2);
  });

  it('are taken over by a new conversation, and another is prewarmed behind', async () => {
    configure({ warmSessions: 1 });
    const [prewarmed] = await expectPrewarmed(1);
    const session = room.registry.ensure(conversation());
    expect(session).toMatchObject({ ...conversation(), id: prewarmed?.id, status: 'active' });
    expect(room.registry.ensure(conversation()).id).toBe(session.id);
    await until(() => {
      expect(room.runtime.starts).toHaveLength(2);
    });
    const [next] = await expectPrewarmed(1);
    expect(next?.id).not.toBe(session.id);
  });

  it('are not taken while their container does not run, nor by another agent group', async () => {
    const release = room.runtime.holdStarts();
    configure({ warmSessions: 1 });
    await until(() => {
      expect(room.runtime.starts).toHaveLength(1);
    });
    const early = room.registry.ensure(conversation());
    expect(prewarmedSessions().map(({ id }) => id)).not.toContain(early.id);
    release();
    const [prewarmed] = await expectPrewarmed(1);
    const other = room.addAgentGroup({ folder: 'other' });
    const foreign = room.registry.ensure({ ...conversation(), agentGroupId: other.id });
    expect(foreign.id).not.toBe(prewarmed?.id);
  });

  it('are made anew when the settings of their agent group change, and leave nothing behind', async () => {
    configure({ warmSessions: 1 });
    const [old] = await expectPrewarmed(1);
    configure({ warmSessions: 1, memoryMb: 512 });
    const folder = room.folders.folderOf(old!.id);
    await until(() => {
      room.prewarmedPool.nudge();
      expect(room.store.sessions.find(old!.id)).toBeUndefined();
    });
    expect(existsSync(folder)).toBe(false);
    const [fresh] = await expectPrewarmed(1);
    expect(room.runtime.starts.at(-1)?.memoryMb).toBe(512);
    configure({});
    await until(() => {
      room.prewarmedPool.nudge();
      expect(room.store.sessions.find(fresh!.id)).toBeUndefined();
    });
    expect(room.runtime.running(fresh!.id)).toEqual([]);
  });

  it('leave a place free for somebody who comes, and make room when one is needed', async () => {
    configure({ warmSessions: 10 });
    await until(() => {
      expect(
        prewarmedSessions().filter(({ containerStatus }) => containerStatus === 'running'),
      ).toHaveLength(3);
    });
    for (let count = 0; count < 4; count += 1) {
      const session = await room.addWaitingSession();
      room.reconciler.nudge(session.id);
    }
    await until(() => {
      expect(
        prewarmedSessions().every(({ containerStatus }) => containerStatus === 'stopped'),
      ).toBe(true);
    });
  });

  it('whose container ends by itself are started again, after a pause', async () => {
    configure({ warmSessions: 1 });
    const [prewarmed] = await expectPrewarmed(1);
    room.runtime.exit(prewarmed!.id);
    await until(() => {
      expect(room.store.dueItems.find(prewarmed!.id, 'wake')?.attempts).toBe(1);
    });
    room.reconciler.nudge(prewarmed!.id);
    await settled();
    expect(room.runtime.starts).toHaveLength(1);
    room.clock.advance(2_000);
    room.reconciler.nudge(prewarmed!.id);
    await until(() => {
      expect(room.runtime.starts).toHaveLength(2);
    });
  });
});
