import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TaskRoom } from '../../../test/fakes/task-room.js';

const hour = 3_600_000;
const daily = { recurrence: '0 13 * * *' };

/** It is noon in UTC, and 13:00 in Berlin. */
describe('a recurring task', () => {
  let room: TaskRoom;

  beforeEach(() => {
    room = new TaskRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  it('is followed by its next run in the moment in which one is done, and the session is due for it', async () => {
    await room.plan(0, daily);
    const first = await room.run();
    expect(room.runs()).toEqual(['2026-01-31T12:00 completed', '2026-02-01T12:00 pending']);
    expect(room.store.tasks.find('t-1')).toMatchObject({ dueAt: '2026-02-01T12:00:00.000Z' });
    expect(room.nextRunId).not.toBe(first);
    expect(room.wakesIn()).toBe(24 * hour - 200);
  });

  it('keeps everything but its time', async () => {
    await room.plan(0, { ...daily, timeZone: 'Asia/Tokyo' });
    await room.run();
    const rows = room.inbound(room.session.id, (db) =>
      db
        .prepare(
          'SELECT kind, tries, recurrence, platform_id, channel_type, content, process_after FROM messages_in',
        )
        .all(),
    );
    expect(rows[1]).toEqual({ ...(rows[0] as object), process_after: '2026-02-01T04:00:00.000Z' });
  });

  it('comes after everything that was said', async () => {
    await room.plan(0, daily);
    room.runner.sayAll(['one', 'two', 'three', 'four', 'five']);
    await room.run();
    const spoken = room.outbound(room.session.id, (db) =>
      db.prepare('SELECT max(seq) FROM messages_out').pluck().get(),
    );
    expect(room.messagesIn(room.session.id)[1]?.seq).toBeGreaterThan(Number(spoken));
  });

  it('goes on after a failed run, which is told, and whose retries do not shift it', async () => {
    await room.plan(0, daily);
    const first = room.nextRunId;
    for (const tries of [0, 1, 2]) {
      room.clock.advance(10 * 60_000);
      room.runner.fail(first, 'no model', tries);
      await room.look();
    }
    expect(room.runs()).toEqual(['2026-01-31T12:00 failed', '2026-02-01T12:00 pending']);
    expect(room.messagesIn(room.session.id)[1]).toMatchObject({ tries: 0 });
    expect(room.notices()[0]?.text).toContain('planned task could not be done');
    expect(room.store.deadLetters.listForSession(room.session.id)).toMatchObject([
      { messageId: first, reason: 'no model' },
    ]);
  });

  it('makes up once for all that was missed, and then keeps its times', async () => {
    await room.plan(0, { recurrence: '0 * * * *' });
    room.clock.advance(5 * hour + 600_000);
    await room.run();
    expect(room.runs()).toEqual(['2026-01-31T12:00 completed', '2026-01-31T18:00 pending']);
  });

  it('leaves out what a long run went past, and never runs twice at a time', async () => {
    await room.plan(0, { recurrence: '*/10 * * * *' });
    await room.run(25 * 60_000);
    await room.run(9 * 60_000);
    expect(room.runs()).toEqual([
      '2026-01-31T12:00 completed',
      '2026-01-31T12:30 completed',
      '2026-01-31T12:40 pending',
    ]);
  });

  it('does not run again what it ran by a clock that was set back since', async () => {
    await room.plan(0, daily);
    await room.run();
    room.clock.advance(-hour);
    await room.look();
    room.clock.advance(hour);
    await room.look();
    expect(room.runs()).toEqual(['2026-01-31T12:00 completed', '2026-02-01T12:00 pending']);
  });

  it('is not doubled when what is settled is settled again', async () => {
    await room.plan(0, daily);
    const first = await room.run();
    room.inbound(room.session.id, (db) => {
      db.prepare(`UPDATE messages_in SET status = 'pending' WHERE id = ?`).run(first);
    });
    await room.look();
    expect(room.runs()).toEqual(['2026-01-31T12:00 completed', '2026-02-01T12:00 pending']);
  });

  it('is told in its own time zone, in the chat’s, or in the install’s', async () => {
    await room.plan(0, daily);
    await room.run();
    expect(room.store.tasks.find('t-1')?.dueAt).toBe('2026-02-01T12:00:00.000Z');
    room.store.messagingGroups.update({ ...room.chat, timeZone: 'America/New_York' });
    await room.run();
    expect(room.store.tasks.find('t-1')?.dueAt).toBe('2026-02-01T18:00:00.000Z');
    room.store.messagingGroups.update({ ...room.chat, timeZone: 'Mars/Phobos' });
    await room.run();
    expect(room.store.tasks.find('t-1')?.dueAt).toBe('2026-02-02T12:00:00.000Z');
  });

  it('is told in its own chat’s time zone where its session serves several chats', async () => {
    room.store.messagingGroups.update({ ...room.chat, timeZone: 'Australia/Sydney' });
    room.store.wirings.update({ ...room.wiring, sessionMode: 'agent-shared' });
    const task = await room.plan(0, { recurrence: '0 9 * * *' });
    const session = room.store.sessions.find(task.sessionId)!;
    expect(session.messagingGroupId).toBeNull();
    room.runnerOf(session.id).complete(task.messageId);
    await room.look('running', session);
    expect(room.store.tasks.find('t-1')?.dueAt).toBe('2026-01-31T22:00:00.000Z');
  });

  it('ends, and is said to, when somebody has made nonsense of its schedule', async () => {
    await room.plan(0, daily);
    room.inbound(room.session.id, (db) => {
      db.prepare(`UPDATE messages_in SET recurrence = 'whenever'`).run();
    });
    await room.run();
    expect(room.runs()).toEqual(['2026-01-31T12:00 completed']);
    expect(room.store.tasks.list()).toEqual([]);
    expect(room.logLines.join()).toContain('recurring task ended: its schedule is none');
  });

  it('is followed all the same when its content is none', async () => {
    await room.plan(0, daily);
    room.inbound(room.session.id, (db) => {
      db.prepare(`UPDATE messages_in SET content = 'nothing'`).run();
    });
    await room.run();
    expect(room.runs()).toHaveLength(2);
  });

  it('that was written by hand is a series too', async () => {
    await room.post(room.session, 'by-hand');
    room.inbound(room.session.id, (db) => {
      db.prepare(`UPDATE messages_in SET kind = 'task', recurrence = '0 13 * * *'`).run();
    });
    room.runner.complete('by-hand');
    await room.look();
    room.clock.advance(24 * hour);
    room.runner.complete(room.messagesIn(room.session.id)[1]!.id);
    await room.look();
    expect(room.runs()).toEqual([
      '2026-01-31T12:00 completed',
      '2026-02-01T12:00 completed',
      '2026-02-02T12:00 pending',
    ]);
    expect(new Set(room.messagesIn(room.session.id).map(({ id }) => id.split('-').length))).toEqual(
      new Set([2, 3]),
    );
  });

  it('ends with its session: what was planned is cancelled, and told', async () => {
    await room.plan(0, daily);
    await room.run();
    room.store.sessions.setStatus(room.session.id, 'closed', 'closed');
    await room.look('ended');
    expect(room.runs()).toEqual(['2026-01-31T12:00 completed', '2026-02-01T12:00 cancelled']);
    expect(room.store.tasks.list()).toEqual([]);
    expect(room.wakesIn()).toBeUndefined();
    expect(room.notices().map(({ text }) => text)).toEqual([
      'A task that was planned here will not be run (“water the plants”): this conversation has been closed.',
    ]);
    expect(room.store.deadLetters.listForSession(room.session.id)).toEqual([]);
  });

  it('loses the run that is due when its session cannot be run, and keeps what is planned', async () => {
    await room.plan(0, daily);
    await room.plan(5 * hour, { id: 't-2' });
    await room.settlement.giveUp(room.session, 'the image is gone');
    expect(room.runs()).toEqual([
      '2026-01-31T12:00 failed',
      '2026-01-31T17:00 pending',
      '2026-02-01T12:00 pending',
    ]);
    expect(room.wakesIn()).toBe(5 * hour);
  });
});

describe('a task that runs once', () => {
  it('is off the list when it is done', async () => {
    using room = new TaskRoom();
    await room.plan(hour);
    await room.run();
    expect(room.runs()).toEqual(['2026-01-31T13:00 completed']);
    expect(room.store.tasks.list()).toEqual([]);
    expect(room.settled).toMatchObject([{ status: 'completed' }]);
  });
});
