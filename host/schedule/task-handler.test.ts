import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TaskRoom } from '../../test/fakes/task-room.js';

const hour = 3_600_000;

describe('the handler for tasks', () => {
  let room: TaskRoom;

  beforeEach(() => {
    room = new TaskRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  it('plans a task in the session of the chat, which is due when the task is', async () => {
    const task = await room.plan(hour);
    expect(task).toMatchObject({ id: 't-1', sessionId: room.session.id, recurrence: null });
    expect(room.runs()).toEqual(['2026-01-31T13:00 pending']);
    expect(room.wakesIn()).toBe(hour);
    expect(room.planned).toBe(1);
    expect(room.store.tasks.list()).toEqual([task]);
    const [open] = await room.mailbox.inbound(room.session.id, 'listOpen');
    expect(open?.address).toEqual({ channelType: 'fake', platformId: 'chat-1', threadId: null });
  });

  it('leaves a session due as early as it was', async () => {
    await room.post(room.session, 'm-1');
    await room.plan(hour);
    expect(room.wakesIn()).toBe(0);
  });

  it('begins the conversation where there is none yet', async () => {
    const chat = room.addChat({ platformId: 'chat-2' });
    room.addWiring(chat, room.agentGroup, { sessionMode: 'per-thread' });
    const { sessionId } = await room.plan(hour, { messagingGroupId: chat.id });
    expect(room.store.sessions.find(sessionId)).toMatchObject({
      messagingGroupId: chat.id,
      threadId: null,
      status: 'active',
    });
    expect(room.runs(sessionId)).toHaveLength(1);
  });

  it('answers into the chat that was named, in a session that serves several', async () => {
    room.store.wirings.delete(room.wiring.id);
    room.addWiring(room.chat, room.agentGroup, { sessionMode: 'agent-shared' });
    const task = await room.plan(hour);
    expect(room.store.sessions.find(task.sessionId)?.messagingGroupId).toBeNull();
    const [open] = await room.mailbox.inbound(task.sessionId, 'listOpen');
    expect(open?.address).toMatchObject({ platformId: 'chat-1' });
  });

  it('plans once what is asked twice', async () => {
    await room.plan(hour);
    await room.plan(hour);
    expect(room.runs()).toHaveLength(1);
    expect(room.store.tasks.list()).toHaveLength(1);
  });

  it.each([
    ['a schedule that is none', { recurrence: 'hourly' }, 'no schedule'],
    ['an unknown time zone', { timeZone: 'Mars/Phobos' }, 'time zone'],
    ['an agent that is not wired there', { agentGroupId: 'ag-9' }, 'not wired'],
    ['a chat that is gone', { messagingGroupId: 'mg-9' }, 'not wired'],
  ])('refuses %s, and plans nothing', async (_, wrong, why) => {
    await expect(room.plan(hour, wrong)).rejects.toThrow(why);
    expect(room.runs()).toEqual([]);
    expect(room.store.tasks.list()).toEqual([]);
  });

  it('takes back what has not begun', async () => {
    await room.plan(hour);
    expect(await room.handler.cancel({ id: 't-1' })).toMatchObject({ cancelled: 'all' });
    expect(room.runs()).toEqual(['2026-01-31T13:00 cancelled']);
    expect(room.store.tasks.list()).toEqual([]);
    await room.look();
    expect(room.wakesIn()).toBeUndefined();
    await expect(room.handler.cancel({ id: 't-1' })).rejects.toThrow('There is no task "t-1"');
  });

  it('does not take back what runs once and has begun', async () => {
    await room.plan(0);
    room.store.sessions.setContainerStatus(room.session.id, 'running');
    await expect(room.handler.cancel({ id: 't-1' })).rejects.toThrow('has begun already');
    expect(room.runs()).toEqual(['2026-01-31T12:00 pending']);
    expect(room.store.tasks.list()).toHaveLength(1);
  });

  it('ends a series whose run has begun, and lets that run end', async () => {
    await room.plan(0, { recurrence: '0 * * * *' });
    const run = room.nextRunId;
    room.store.sessions.setContainerStatus(room.session.id, 'running');
    expect(await room.handler.cancel({ id: 't-1' })).toMatchObject({ cancelled: 'series' });
    room.runner.complete(run);
    await room.look();
    expect(room.runs()).toEqual(['2026-01-31T12:00 completed']);
    expect(room.store.tasks.list()).toEqual([]);
  });

  it.each([null, '0 * * * *'])(
    'takes back what became due while nobody could run it (%s)',
    async (recurrence) => {
      await room.plan(0, { recurrence });
      expect(await room.handler.cancel({ id: 't-1' })).toMatchObject({ cancelled: 'all' });
      expect(room.runs()).toEqual(['2026-01-31T12:00 cancelled']);
    },
  );

  it('cancels a series that waits, and no other task', async () => {
    await room.plan(0, { recurrence: '0 * * * *' });
    await room.plan(2 * hour, { id: 't-2' });
    await room.run();
    await room.handler.cancel({ id: 't-1' });
    expect(room.runs()).toEqual([
      '2026-01-31T12:00 completed',
      '2026-01-31T14:00 pending',
      '2026-01-31T13:00 cancelled',
    ]);
    expect(room.store.tasks.list()).toMatchObject([{ id: 't-2' }]);
  });

  it('writes into files that were made anew what was planned in the old ones', async () => {
    await room.plan(hour, { recurrence: '0 * * * *' });
    room.inbound(room.session.id, (db) => {
      db.exec('DELETE FROM messages_in');
    });
    room.store.dueItems.clear(room.session.id, 'wake');
    await room.handler.restore(room.session.id);
    expect(room.runs()).toEqual(['2026-01-31T13:00 pending']);
    expect(room.wakesIn()).toBe(hour);
  });

  it('moves what was planned in a quarantined session into the one that follows', async () => {
    await room.plan(hour, { recurrence: '0 * * * *' });
    room.store.sessions.setStatus(room.session.id, 'set-aside', 'damaged');
    await room.handler.moveStranded();
    const [task] = room.store.tasks.list();
    expect(task?.sessionId).not.toBe(room.session.id);
    expect(room.runs(task?.sessionId)).toEqual(['2026-01-31T13:00 pending']);
    await room.handler.moveStranded();
    expect(room.store.tasks.list()).toHaveLength(1);
  });
});
