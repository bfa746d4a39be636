import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TaskSetup } from '../../test/fakes/task-setup.js';
import { setStatus } from '../../test/fakes/session-rows.js';

const hour = 3_600_000;

describe('the handler for tasks', () => {
  let setup: TaskSetup;

  beforeEach(() => {
    setup = new TaskSetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  it('plans a task in the session of the chat, which is due when the task is', async () => {
    const task = await setup.plan(hour);
    expect(task).toMatchObject({ id: 't-1', sessionId: setup.session.id, recurrence: null });
    expect(setup.runs()).toEqual(['2026-01-31T13:00 pending']);
    expect(setup.wakesIn()).toBe(hour);
    expect(setup.planned).toBe(1);
    expect(setup.store.tasks.list()).toEqual([task]);
    const [open] = await setup.mailbox.inbound(setup.session.id, 'listOpen');
    expect(open?.address).toEqual({ channelType: 'fake', platformId: 'chat-1', threadId: null });
  });

  it('leaves a session due as early as it was', async () => {
    await setup.post(setup.session, 'm-1');
    await setup.plan(hour);
    expect(setup.wakesIn()).toBe(0);
  });

  it('begins the conversation where there is none yet', async () => {
    const chat = setup.addChat({ platformId: 'chat-2' });
    setup.addWiring(chat, setup.agentGroup, { sessionMode: 'per-thread' });
    const { sessionId } = await setup.plan(hour, { messagingGroupId: chat.id });
    expect(setup.store.sessions.find(sessionId)).toMatchObject({
      messagingGroupId: chat.id,
      threadId: null,
      status: 'active',
    });
    expect(setup.runs(sessionId)).toHaveLength(1);
  });

  it('answers into the chat that was named, in a session that serves several', async () => {
    setup.store.wirings.delete(setup.wiring.id);
    setup.addWiring(setup.chat, setup.agentGroup, { sessionMode: 'agent-shared' });
    const task = await setup.plan(hour);
    expect(setup.store.sessions.find(task.sessionId)?.messagingGroupId).toBeNull();
    const [open] = await setup.mailbox.inbound(task.sessionId, 'listOpen');
    expect(open?.address).toMatchObject({ platformId: 'chat-1' });
  });

  it('plans once what is asked twice', async () => {
    await setup.plan(hour);
    await setup.plan(hour);
    expect(setup.runs()).toHaveLength(1);
    expect(setup.store.tasks.list()).toHaveLength(1);
  });

  it.each([
    ['a schedule that is none', { recurrence: 'hourly' }, 'no schedule'],
    ['an unknown time zone', { timeZone: 'Mars/Phobos' }, 'time zone'],
    ['an agent that is not wired there', { agentGroupId: 'ag-9' }, 'not wired'],
    ['a chat that is gone', { messagingGroupId: 'mg-9' }, 'not wired'],
  ])('refuses %s, and plans nothing', async (_, wrong, why) => {
    await expect(setup.plan(hour, wrong)).rejects.toThrow(why);
    expect(setup.runs()).toEqual([]);
    expect(setup.store.tasks.list()).toEqual([]);
  });

  it('takes back what has not begun', async () => {
    await setup.plan(hour);
    expect(await setup.handler.cancel({ id: 't-1' })).toMatchObject({ cancelled: 'all' });
    expect(setup.runs()).toEqual(['2026-01-31T13:00 cancelled']);
    expect(setup.store.tasks.list()).toEqual([]);
    await setup.pass();
    expect(setup.wakesIn()).toBeUndefined();
    await expect(setup.handler.cancel({ id: 't-1' })).rejects.toThrow('There is no task "t-1"');
  });

  it('does not take back what runs once and has begun', async () => {
    await setup.plan(0);
    setup.store.sessions.setContainerStatus(setup.session.id, 'running');
    await expect(setup.handler.cancel({ id: 't-1' })).rejects.toThrow('has begun already');
    expect(setup.runs()).toEqual(['2026-01-31T12:00 pending']);
    expect(setup.store.tasks.list()).toHaveLength(1);
  });

  it('ends a series whose run has begun, and lets that run end', async () => {
    await setup.plan(0, { recurrence: '0 * * * *' });
    const run = setup.nextRunId;
    setup.store.sessions.setContainerStatus(setup.session.id, 'running');
    expect(await setup.handler.cancel({ id: 't-1' })).toMatchObject({ cancelled: 'series' });
    setup.runner.complete(run);
    await setup.pass();
    expect(setup.runs()).toEqual(['2026-01-31T12:00 completed']);
    expect(setup.store.tasks.list()).toEqual([]);
  });

  it.each([null, '0 * * * *'])(
    'takes back what became due while nobody could run it (%s)',
    async (recurrence) => {
      await setup.plan(0, { recurrence });
      expect(await setup.handler.cancel({ id: 't-1' })).toMatchObject({ cancelled: 'all' });
      expect(setup.runs()).toEqual(['2026-01-31T12:00 cancelled']);
    },
  );

  it('cancels a series that waits, and no other task', async () => {
    await setup.plan(0, { recurrence: '0 * * * *' });
    await setup.plan(2 * hour, { id: 't-2' });
    await setup.run();
    await setup.handler.cancel({ id: 't-1' });
    expect(setup.runs()).toEqual([
      '2026-01-31T12:00 completed',
      '2026-01-31T14:00 pending',
      '2026-01-31T13:00 cancelled',
    ]);
    expect(setup.store.tasks.list()).toMatchObject([{ id: 't-2' }]);
  });

  it('writes into files that were made anew what was planned in the old ones', async () => {
    await setup.plan(hour, { recurrence: '0 * * * *' });
    setup.inbound(setup.session.id, (db) => {
      db.exec('DELETE FROM messages_in');
    });
    setup.store.dueItems.clear(setup.session.id, 'wake');
    await setup.handler.restore(setup.session.id);
    expect(setup.runs()).toEqual(['2026-01-31T13:00 pending']);
    expect(setup.wakesIn()).toBe(hour);
  });

  it('moves what was planned in a quarantined session into the one that follows', async () => {
    await setup.plan(hour, { recurrence: '0 * * * *' });
    setStatus(setup.store, setup.session.id, 'set-aside', 'damaged');
    await setup.handler.moveStranded();
    const [task] = setup.store.tasks.list();
    expect(task?.sessionId).not.toBe(setup.session.id);
    expect(setup.runs(task?.sessionId)).toEqual(['2026-01-31T13:00 pending']);
    await setup.handler.moveStranded();
    expect(setup.store.tasks.list()).toHaveLength(1);
  });
});
