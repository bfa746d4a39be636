import { mkdirSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { ContainerRoom } from '../../test/fakes/container-room.js';
import { settled, until } from '../../test/fakes/waiting.js';
import { outboundDbPath } from '../../shared/protocol/workspace.js';
import type { Session } from '../store/sessions.js';

describe('places for containers', () => {
  let room: ContainerRoom;

  afterEach(async () => {
    await room[Symbol.asyncDispose]();
  });

  async function run(session: Session): Promise<void> {
    room.reconciler.nudge(session.id);
    await until(() => {
      expect(room.containerStatus(session)).toBe('running');
    });
  }

  /** Its runner answers, and the host is told of it. */
  async function finish(session: Session): Promise<void> {
    room.runnerOf(session.id).complete(`m-of-${session.id}`);
    await room.look('running', session);
    room.reconciler.noteRest();
  }

  async function startWith(maxContainers: number): Promise<void> {
    room = new ContainerRoom({ maxContainers });
    room.reconciler.start();
    await until(() => {
      expect(room.runtime.lists).toBeGreaterThan(0);
    });
  }

  it('are given up by a container that had nothing to do for the idle timeout', async () => {
    await startWith(5);
    const session = await room.addWaitingSession();
    await run(session);
    const dueAt = room.store.dueItems.find(session.id, 'idle')?.dueAt;
    expect(Date.parse(dueAt ?? '')).toBe(room.clock.now() + 600_000);
    await finish(session);
    room.clock.advance(599_999);
    room.reconciler.nudge(session.id);
    await settled();
    expect(room.containerStatus(session)).toBe('running');
    room.clock.advance(1);
    room.reconciler.nudge(session.id);
    await until(() => {
      expect(room.containerStatus(session)).toBe('stopped');
    });
    await until(() => {
      expect(room.store.dueItems.find(session.id, 'idle')).toBeUndefined();
    });
    expect(room.store.dueItems.find(session.id, 'wake')).toBeUndefined();
    expect(room.logged('container stopped')[0]).toMatchObject({ reason: 'it had nothing to do' });
  });

  it('are made at once by the idle container that was used least recently', async () => {
    await startWith(2);
    const first = await room.addWaitingSession();
    await run(first);
    const second = await room.addWaitingSession();
    await run(second);
    await finish(first);
    room.clock.advance(1_000);
    await finish(second);
    const third = await room.addWaitingSession();
    await run(third);
    expect(room.containerStatus(first)).toBe('stopped');
    expect(room.containerStatus(second)).toBe('running');
  });

  it('are never taken from a container that works: who comes waits until it is done', async () => {
    await startWith(1);
    const busy = await room.addWaitingSession();
    await run(busy);
    const late = await room.addWaitingSession();
    room.reconciler.nudge(late.id);
    await settled();
    expect(room.containerStatus(busy)).toBe('running');
    expect(room.containerStatus(late)).toBe('stopped');
    await finish(busy);
    await until(() => {
      expect(room.containerStatus(late)).toBe('running');
    });
  });

  it('go to one after the other of those who wait together', async () => {
    await startWith(1);
    const idle = await room.addWaitingSession();
    await run(idle);
    await finish(idle);
    const waiting = [await room.addWaitingSession(), await room.addWaitingSession()];
    for (const { id } of waiting) room.reconciler.nudge(id);
    for (let served = 1; served <= 2; served += 1) {
      await until(() => {
        expect(room.runtime.starts).toHaveLength(1 + served);
      });
      const running = waiting.find(({ id }) => room.runtime.running(id).length === 1);
      await finish(running!);
    }
  });

  it('are free again when a container ends by itself', async () => {
    await startWith(1);
    const first = await room.addWaitingSession();
    await run(first);
    const late = await room.addWaitingSession();
    room.reconciler.nudge(late.id);
    await settled();
    room.clock.advance(60_000);
    room.runnerOf(first.id).complete(`m-of-${first.id}`);
    room.runtime.exit(first.id);
    await until(() => {
      expect(room.containerStatus(late)).toBe('running');
    });
  });

  it('that were free before are known again after a restart of the daemon', async () => {
    await startWith(2);
    const sessions = [await room.addWaitingSession(), await room.addWaitingSession()];
    for (const session of sessions) await run(session);
    await room.reconciler.stop();
    room.rebuild().start();
    const late = await room.addWaitingSession();
    await until(() => {
      expect(room.logged('container adopted')).toHaveLength(2);
    });
    room.reconciler.nudge(late.id);
    await settled();
    expect(room.runtime.starts).toHaveLength(2);
    await finish(sessions[0]!);
    await run(late);
  });

  it('are not taken by a session that was closed while it waited', async () => {
    await startWith(1);
    const busy = await room.addWaitingSession();
    await run(busy);
    const late = await room.addWaitingSession();
    room.reconciler.nudge(late.id);
    await settled();
    room.store.sessions.setStatus(late.id, 'closed', null);
    room.reconciler.nudge(late.id);
    await until(() => {
      expect(room.store.dueItems.find(late.id, 'wake')).toBeUndefined();
    });
    await finish(busy);
    await settled();
    expect(room.runtime.starts).toHaveLength(1);
  });

  it('do not fit a container that asks for more than all may have: the person is told', async () => {
    room = new ContainerRoom({ memoryBudgetMb: 512 });
    room.reconciler.start();
    const session = await room.addWaitingSession();
    room.reconciler.nudge(session.id);
    await until(() => {
      expect(room.store.deadLetters.listForSession(session.id)[0]?.reason).toContain('512 MiB');
    });
    expect(room.runtime.starts).toEqual([]);
  });
});

describe('a container that keeps others from its session', () => {
  it('is ended, also where nothing waits in it, and another takes its place', async () => {
    await using room = new ContainerRoom();
    room.reconciler.start();
    const session = await room.addWaitingSession();
    expect(room.reconciler.endStuck(session.id, 'too early')).toBe(false);
    room.reconciler.nudge(session.id);
    await until(() => {
      expect(room.containerStatus(session)).toBe('running');
    });
    room.runnerOf(session.id).complete(`m-of-${session.id}`);
    await room.look('running', session);
    expect(room.reconciler.endStuck(session.id, 'it holds a lock')).toBe(true);
    await until(() => {
      expect(room.containerStatus(session)).toBe('stopped');
    });
    expect(room.logged('container stopped')[0]).toMatchObject({ reason: 'it holds a lock' });
    await room.post(session, 'm-2');
    room.reconciler.nudge(session.id);
    await until(() => {
      expect(room.containerStatus(session)).toBe('running');
    });
    await settled();
    expect(room.runtime.stopped).toHaveLength(1);
  });
});

describe('a turn that hangs', () => {
  it('is ended, and its message is tried again although the runner gave it back', async () => {
    await using room = new ContainerRoom();
    room.reconciler.start();
    const session = await room.addWaitingSession();
    room.reconciler.nudge(session.id);
    await until(() => {
      expect(room.containerStatus(session)).toBe('running');
    });
    const id = `m-of-${session.id}`;
    const runner = room.runnerOf(session.id);
    runner.claim(id);
    await until(() => {
      expect(room.store.dueItems.find(session.id, 'stuck')).toBeDefined();
    });
    const dueAt = Date.parse(room.store.dueItems.find(session.id, 'stuck')!.dueAt);
    expect(dueAt - room.clock.now()).toBe(120_000);
    room.clock.advance(120_000);
    room.runtime.whenStopped = () => {
      runner.release(id);
    };
    room.reconciler.nudge(session.id);
    await until(() => {
      expect(room.containerStatus(session)).toBe('stopped');
    });
    expect(room.describe(session)).toEqual({ [id]: 'pending 1 +1000' });
    expect(room.logged('container stopped')[0]).toMatchObject({
      reason: 'it gave no sign of life for 120 s',
    });
    expect(room.logged('message will be tried again')[0]).toMatchObject({
      reason: 'The agent was stopped in the middle of it: it gave no sign of life for 120 s.',
    });
    await until(() => {
      expect(room.store.dueItems.find(session.id, 'stuck')).toBeUndefined();
    });
  });

  it('is ended also when a commit that does not end keeps everybody from reading what it is at', async () => {
    await using room = new ContainerRoom();
    room.reconciler.start();
    const session = await room.addWaitingSession();
    room.reconciler.nudge(session.id);
    await until(() => {
      expect(room.containerStatus(session)).toBe('running');
    });
    room.runnerOf(session.id).claim(`m-of-${session.id}`);
    await until(() => {
      expect(room.store.dueItems.find(session.id, 'stuck')).toBeDefined();
    });
    mkdirSync(`${outboundDbPath(room.folders.outDir(session.id))}-journal`);
    room.clock.advance(120_000);
    room.reconciler.nudge(session.id);
    await until(() => {
      expect(room.containerStatus(session)).toBe('stopped');
    });
    expect(room.describe(session)).toEqual({ [`m-of-${session.id}`]: 'pending 1 +1000' });
  });

  it('is told apart from a container that has nothing to do', async () => {
    await using room = new ContainerRoom();
    room.reconciler.start();
    const session = await room.addWaitingSession();
    room.reconciler.nudge(session.id);
    await until(() => {
      expect(room.containerStatus(session)).toBe('running');
    });
    room.runnerOf(session.id).complete(`m-of-${session.id}`);
    await room.look('running', session);
    room.clock.advance(300_000);
    room.reconciler.nudge(session.id);
    await settled();
    expect(room.containerStatus(session)).toBe('running');
  });
});
