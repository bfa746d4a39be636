import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ContainerSetup } from '../../../test/fakes/container-setup.js';
import { settled, until } from '../../../test/fakes/waiting.js';
import type { PrewarmedSession } from '../../store/sessions.js';

describe('prewarmed sessions', () => {
  let setup: ContainerSetup;

  beforeEach(() => {
    setup = new ContainerSetup({ maxContainers: 4 });
    setup.reconciler.start();
    setup.prewarmedPool.start();
  });

  afterEach(async () => {
    await setup[Symbol.asyncDispose]();
  });

  function configure(config: Record<string, unknown>): void {
    const containerConfig = JSON.stringify(config);
    setup.store.agentGroups.update({ ...setup.agentGroup, containerConfig });
    setup.prewarmedPool.nudge();
  }

  function prewarmedSessions(): readonly PrewarmedSession[] {
    return setup.store.sessions.listPrewarmed();
  }

  async function expectPrewarmed(count: number): Promise<readonly PrewarmedSession[]> {
    await until(() => {
      expect(prewarmedSessions().map(({ containerStatus }) => containerStatus)).toEqual(
        Array.from({ length: count }, () => 'running'),
      );
    });
    return prewarmedSessions();
  }

  const conversation = (): Parameters<typeof setup.registry.ensure>[0] => ({
    agentGroupId: setup.agentGroup.id,
    messagingGroupId: setup.chat.id,
    threadId: 't-new',
  });

  it('are kept running, as many as the agent group asks for, with a mailbox that is ready', async () => {
    configure({ warmSessions: 2 });
    for (const { id } of await expectPrewarmed(2)) {
      expect(existsSync(`${setup.folders.inDir(id)}/inbound.db`)).toBe(true);
    }
    configure({ warmSessions: 2 });
    await settled();
    expect(prewarmedSessions()).toHaveLength(2);
  });

  it('are taken over by a new conversation, and another is prewarmed behind', async () => {
    configure({ warmSessions: 1 });
    const [prewarmed] = await expectPrewarmed(1);
    const session = setup.registry.ensure(conversation());
    expect(session).toMatchObject({ ...conversation(), id: prewarmed?.id, status: 'active' });
    expect(setup.registry.ensure(conversation()).id).toBe(session.id);
    await until(() => {
      expect(setup.runtime.starts).toHaveLength(2);
    });
    const [next] = await expectPrewarmed(1);
    expect(next?.id).not.toBe(session.id);
  });

  it('are not taken while their container does not run, nor by another agent group', async () => {
    const release = setup.runtime.holdStarts();
    configure({ warmSessions: 1 });
    await until(() => {
      expect(setup.runtime.starts).toHaveLength(1);
    });
    const early = setup.registry.ensure(conversation());
    expect(prewarmedSessions().map(({ id }) => id)).not.toContain(early.id);
    release();
    const [prewarmed] = await expectPrewarmed(1);
    const other = setup.addAgentGroup({ folder: 'other' });
    const foreign = setup.registry.ensure({ ...conversation(), agentGroupId: other.id });
    expect(foreign.id).not.toBe(prewarmed?.id);
  });

  it('are made anew when the settings of their agent group change, and leave nothing behind', async () => {
    configure({ warmSessions: 1 });
    const [old] = await expectPrewarmed(1);
    configure({ warmSessions: 1, memoryMb: 512 });
    const folder = setup.folders.folderOf(old!.id);
    await until(() => {
      setup.prewarmedPool.nudge();
      expect(setup.store.sessions.find(old!.id)).toBeUndefined();
    });
    expect(existsSync(folder)).toBe(false);
    const [fresh] = await expectPrewarmed(1);
    expect(setup.runtime.starts.at(-1)?.posture.limits.memoryMb).toBe(512);
    configure({});
    await until(() => {
      setup.prewarmedPool.nudge();
      expect(setup.store.sessions.find(fresh!.id)).toBeUndefined();
    });
    expect(setup.runtime.running(fresh!.id)).toEqual([]);
  });

  it('leave a place free for somebody who comes, and make room when one is needed', async () => {
    configure({ warmSessions: 10 });
    await until(() => {
      expect(
        prewarmedSessions().filter(({ containerStatus }) => containerStatus === 'running'),
      ).toHaveLength(3);
    });
    for (let count = 0; count < 4; count += 1) {
      const session = await setup.addWaitingSession();
      setup.reconciler.nudge(session.id);
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
    setup.runtime.exit(prewarmed!.id);
    await until(() => {
      expect(setup.store.dueItems.find(prewarmed!.id, 'wake')?.attempts).toBe(1);
    });
    setup.reconciler.nudge(prewarmed!.id);
    await settled();
    expect(setup.runtime.starts).toHaveLength(1);
    setup.clock.advance(2_000);
    setup.reconciler.nudge(prewarmed!.id);
    await until(() => {
      expect(setup.runtime.starts).toHaveLength(2);
    });
  });
});
