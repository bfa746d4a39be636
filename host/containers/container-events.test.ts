import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BerthError } from '../../shared/base/errors.js';
import { ContainerSetup } from '../../test/fakes/container-setup.js';
import { until } from '../../test/fakes/waiting.js';
import type { Session } from '../store/sessions.js';
import { ContainerEvents } from './container-events.js';

describe('the events of a session’s container', () => {
  let setup: ContainerSetup;

  beforeEach(() => {
    setup = new ContainerSetup();
  });

  afterEach(async () => {
    await setup[Symbol.asyncDispose]();
  });

  async function becomes(status: string, session: Session): Promise<void> {
    await until(() => {
      expect(setup.containerStatus(session)).toBe(status);
    });
  }

  it('tell why it was started, and why it has ended', async () => {
    const session = await setup.addWaitingSession();
    setup.reconciler.start();
    await becomes('running', session);
    const runner = setup.runnerOf(session.id);
    runner.complete(`m-of-${session.id}`);
    await setup.pass('running', session);
    setup.clock.advance(600_000);
    setup.reconciler.nudge(session.id);
    await becomes('stopped', session);
    expect(setup.events()).toEqual([
      `session.woken ${session.id}: a message waits`,
      `container.started ${session.id}`,
      `container.ended ${session.id}: it had nothing to do`,
      `session.slept ${session.id}`,
    ]);
    expect(setup.store.events.listAfter(0, 2)[1]?.detail).toMatchObject({
      containerId: 'c-1',
      durationMs: expect.any(Number) as number,
    });
  });

  it('tell of one that ends by itself, and of the message that is tried again', async () => {
    const session = await setup.addWaitingSession();
    const messageId = `m-of-${session.id}`;
    setup.reconciler.start();
    await becomes('running', session);
    setup.runnerOf(session.id).claim(messageId);
    setup.runtime.exit(session.id, 137);
    await becomes('stopped', session);
    expect(setup.events().slice(2)).toEqual([
      `message.retried ${messageId}: The agent ended in the middle of it (exit code 137, killed: from outside, or for want of memory).`,
      `container.ended ${session.id}: it ended by itself (exit code 137)`,
      `session.slept ${session.id}`,
    ]);
    const nextAt = setup.clock.iso(1_000);
    const events = setup.store.events.listForSession(session.id, 3);
    expect(events[0]?.detail).toMatchObject({ attempt: 1, nextAt });
    expect(events[2]?.detail).toEqual({ nextAt });
    setup.clock.advance(1_000);
    setup.reconciler.nudge(session.id);
    await becomes('running', session);
    expect(setup.events().slice(5, 6)).toEqual([
      `session.woken ${session.id}: a message is tried again`,
    ]);
  });

  it('tell of a start that fails once, however often it is tried in vain', async () => {
    const session = await setup.addWaitingSession();
    const away = new BerthError('engine_failed', 'The engine starts nothing.');
    setup.runtime.willFail(away, away, away);
    setup.reconciler.start();
    for (let tries = 1; tries <= 3; tries += 1) {
      await until(() => {
        expect(setup.store.dueItems.find(session.id, 'wake')?.attempts).toBe(tries);
      });
      setup.clock.advance(60_000);
      setup.reconciler.nudge(session.id);
    }
    await becomes('running', session);
    expect(setup.events()).toEqual([
      `session.woken ${session.id}: a message waits`,
      `container.failed ${session.id}: The engine starts nothing.`,
      `container.started ${session.id}`,
    ]);
  });

  it('tell of one that was taken over, and of the end of the daemon', async () => {
    const session = setup.addSession({ containerStatus: 'running' });
    setup.runtime.put(session.id);
    setup.reconciler.start();
    await until(() => {
      expect(setup.events()).toEqual([`container.adopted ${session.id}`]);
    });
    await setup.reconciler.stop();
    await setup.reconciler.stopContainers();
    expect(setup.events().slice(1)).toEqual([
      `container.ended ${session.id}: the daemon stops`,
      `session.slept ${session.id}`,
    ]);
  });

  it('tell that a task has woken it, and not of the end of what was not there', () => {
    const { id: sessionId } = setup.session;
    const at = setup.clock.iso();
    setup.store.tasks.set({
      ...{ id: 't-1', sessionId, messageId: 't-1-1', dueAt: at, recurrence: null },
      ...{ messagingGroupId: null, timeZone: null, text: '', createdAt: at },
    });
    const events = new ContainerEvents(setup);
    events.noteEnded(sessionId, 'nothing ran');
    events.noteEnded('s-unknown', 'nothing ran');
    events.noteStarting(setup.session);
    expect(setup.events()).toEqual([`session.woken ${sessionId}: the time of a task has come`]);
  });
});
