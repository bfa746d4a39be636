import { mkdirSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { ContainerSetup } from '../../test/fakes/container-setup.js';
import { settled, until } from '../../test/fakes/waiting.js';
import { outboundDbPath } from '../../shared/protocol/workspace.js';
import type { Session } from '../store/sessions.js';
import { setStatus } from '../../test/fakes/session-rows.js';

describe('places for containers', () => {
  let setup: ContainerSetup;

  afterEach(async () => {
    await setup[Symbol.asyncDispose]();
  });

  async function run(session: Session): Promise<void> {
    setup.reconciler.nudge(session.id);
    await until(() => {
      expect(setup.containerStatus(session)).toBe('running');
    });
  }

  /** Its runner answers, and the host is told of it. */
  async function finish(session: Session): Promise<void> {
    setup.runnerOf(session.id).complete(`m-of-${session.id}`);
    await setup.pass('running', session);
    setup.reconciler.noteRest();
  }

  async function startWith(maxContainers: number): Promise<void> {
    setup = new ContainerSetup({ maxContainers });
    setup.reconciler.start();
    await until(() => {
      expect(setup.runtime.lists).toBeGreaterThan(0);
    });
  }

  it('are given up by a container that had nothing to do for the idle timeout', async () => {
    await startWith(5);
    const session = await setup.addWaitingSession();
    await run(session);
    const dueAt = setup.store.dueItems.find(session.id, 'idle')?.dueAt;
    expect(Date.parse(dueAt ?? '')).toBe(setup.clock.now() + 600_000);
    await finish(session);
    setup.clock.advance(599_999);
    setup.reconciler.nudge(session.id);
    await settled();
    expect(setup.containerStatus(session)).toBe('running');
    setup.clock.advance(1);
    setup.reconciler.nudge(session.id);
    await until(() => {
      expect(setup.containerStatus(session)).toBe('stopped');
    });
    await until(() => {
      expect(setup.store.dueItems.find(session.id, 'idle')).toBeUndefined();
    });
    expect(setup.store.dueItems.find(session.id, 'wake')).toBeUndefined();
    expect(setup.logged('container stopped')[0]).toMatchObject({ reason: 'it had nothing to do' });
  });

  it('are made at once by the idle container that was used least recently', async () => {
    await startWith(2);
    const first = await setup.addWaitingSession();
    await run(first);
    const second = await setup.addWaitingSession();
    await run(second);
    await finish(first);
    setup.clock.advance(1_000);
    await finish(second);
    const third = await setup.addWaitingSession();
    await run(third);
    expect(setup.containerStatus(first)).toBe('stopped');
    expect(setup.containerStatus(second)).toBe('running');
  });

  it('are never taken from a container that works: who comes waits until it is done', async () => {
    await startWith(1);
    const busy = await setup.addWaitingSession();
    await run(busy);
    const late = await setup.addWaitingSession();
    setup.reconciler.nudge(late.id);
    await settled();
    expect(setup.containerStatus(busy)).toBe('running');
    expect(setup.containerStatus(late)).toBe('stopped');
    await finish(busy);
    await until(() => {
      expect(setup.containerStatus(late)).toBe('running');
    });
  });

  it('go to one after the other of those who wait together', async () => {
    await startWith(1);
    const idle = await setup.addWaitingSession();
    await run(idle);
    await finish(idle);
    const waiting = [await setup.addWaitingSession(), await setup.addWaitingSession()];
    for (const { id } of waiting) setup.reconciler.nudge(id);
    for (let served = 1; served <= 2; served += 1) {
      await until(() => {
        expect(setup.runtime.starts).toHaveLength(1 + served);
      });
      const running = waiting.find(({ id }) => setup.runtime.running(id).length === 1);
      await finish(running!);
    }
  });

  it('are free again when a container ends by itself', async () => {
    await startWith(1);
    const first = await setup.addWaitingSession();
    await run(first);
    const late = await setup.addWaitingSession();
    setup.reconciler.nudge(late.id);
    await settled();
    setup.clock.advance(60_000);
    setup.runnerOf(first.id).complete(`m-of-${first.id}`);
    setup.runtime.exit(first.id);
    await until(() => {
      expect(setup.containerStatus(late)).toBe('running');
    });
  });

  it('that were free before are known again after a restart of the daemon', async () => {
    await startWith(2);
    const sessions = [await setup.addWaitingSession(), await setup.addWaitingSession()];
    for (const session of sessions) await run(session);
    await setup.reconciler.stop();
    setup.rebuild().start();
    const late = await setup.addWaitingSession();
    await until(() => {
      expect(setup.logged('container adopted')).toHaveLength(2);
    });
    setup.reconciler.nudge(late.id);
    await settled();
    expect(setup.runtime.starts).toHaveLength(2);
    await finish(sessions[0]!);
    await run(late);
  });

  it('are not taken by a session that was closed while it waited', async () => {
    await startWith(1);
    const busy = await setup.addWaitingSession();
    await run(busy);
    const late = await setup.addWaitingSession();
    setup.reconciler.nudge(late.id);
    await settled();
    setStatus(setup.store, late.id, 'closed', null);
    setup.reconciler.nudge(late.id);
    await until(() => {
      expect(setup.store.dueItems.find(late.id, 'wake')).toBeUndefined();
    });
    await finish(busy);
    await settled();
    expect(setup.runtime.starts).toHaveLength(1);
  });

  it('do not fit a container that asks for more than all may have: the person is told', async () => {
    setup = new ContainerSetup({ memoryBudgetMb: 512 });
    setup.reconciler.start();
    const session = await setup.addWaitingSession();
    setup.reconciler.nudge(session.id);
    await until(() => {
      expect(setup.store.deadLetters.listForSession(session.id)[0]?.reason).toContain('512 MiB');
    });
    expect(setup.runtime.starts).toEqual([]);
  });
});

describe('a container that keeps others from its session', () => {
  it('is ended, also where nothing waits in it, and another takes its place', async () => {
    await using setup = new ContainerSetup();
    setup.reconciler.start();
    const session = await setup.addWaitingSession();
    expect(setup.reconciler.endStuck(session.id, 'too early')).toBe(false);
    setup.reconciler.nudge(session.id);
    await until(() => {
      expect(setup.containerStatus(session)).toBe('running');
    });
    setup.runnerOf(session.id).complete(`m-of-${session.id}`);
    await setup.pass('running', session);
    expect(setup.reconciler.endStuck(session.id, 'it holds a lock')).toBe(true);
    await until(() => {
      expect(setup.containerStatus(session)).toBe('stopped');
    });
    expect(setup.logged('container stopped')[0]).toMatchObject({ reason: 'it holds a lock' });
    await setup.post(session, 'm-2');
    setup.reconciler.nudge(session.id);
    await until(() => {
      expect(setup.containerStatus(session)).toBe('running');
    });
    await settled();
    expect(setup.runtime.stopped).toHaveLength(1);
  });
});

describe('a turn that hangs', () => {
  it('is ended, and its message is tried again although the runner gave it back', async () => {
    await using setup = new ContainerSetup();
    setup.reconciler.start();
    const session = await setup.addWaitingSession();
    setup.reconciler.nudge(session.id);
    await until(() => {
      expect(setup.containerStatus(session)).toBe('running');
    });
    const id = `m-of-${session.id}`;
    const runner = setup.runnerOf(session.id);
    runner.claim(id);
    await until(() => {
      expect(setup.store.dueItems.find(session.id, 'stuck')).toBeDefined();
    });
    const dueAt = Date.parse(setup.store.dueItems.find(session.id, 'stuck')!.dueAt);
    expect(dueAt - setup.clock.now()).toBe(120_000);
    setup.clock.advance(120_000);
    setup.runtime.whenStopped = () => {
      runner.release(id);
    };
    setup.reconciler.nudge(session.id);
    await until(() => {
      expect(setup.containerStatus(session)).toBe('stopped');
    });
    expect(setup.describe(session)).toEqual({ [id]: 'pending 1 +1000' });
    expect(setup.logged('container stopped')[0]).toMatchObject({
      reason: 'it gave no sign of life for 120 s',
    });
    expect(setup.logged('message will be tried again')[0]).toMatchObject({
      reason: 'The agent was stopped in the middle of it: it gave no sign of life for 120 s.',
    });
    await until(() => {
      expect(setup.store.dueItems.find(session.id, 'stuck')).toBeUndefined();
    });
  });

  it('is ended also when a commit that does not end keeps everybody from reading what it is at', async () => {
    await using setup = new ContainerSetup();
    setup.reconciler.start();
    const session = await setup.addWaitingSession();
    setup.reconciler.nudge(session.id);
    await until(() => {
      expect(setup.containerStatus(session)).toBe('running');
    });
    setup.runnerOf(session.id).claim(`m-of-${session.id}`);
    await until(() => {
      expect(setup.store.dueItems.find(session.id, 'stuck')).toBeDefined();
    });
    mkdirSync(`${outboundDbPath(setup.folders.outDir(session.id))}-journal`);
    setup.clock.advance(120_000);
    setup.reconciler.nudge(session.id);
    await until(() => {
      expect(setup.containerStatus(session)).toBe('stopped');
    });
    expect(setup.describe(session)).toEqual({ [`m-of-${session.id}`]: 'pending 1 +1000' });
  });

  it('is told apart from a container that has nothing to do', async () => {
    await using setup = new ContainerSetup();
    setup.reconciler.start();
    const session = await setup.addWaitingSession();
    setup.reconciler.nudge(session.id);
    await until(() => {
      expect(setup.containerStatus(session)).toBe('running');
    });
    setup.runnerOf(session.id).complete(`m-of-${session.id}`);
    await setup.pass('running', session);
    setup.clock.advance(300_000);
    setup.reconciler.nudge(session.id);
    await settled();
    expect(setup.containerStatus(session)).toBe('running');
  });
});
