import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TaskSetup } from '../../../test/fakes/task-setup.js';
import { setStatus } from '../../../test/fakes/session-rows.js';

const hour = 3_600_000;
const daily = { recurrence: '0 13 * * *' };

/** It is noon in UTC, and 13:00 in Berlin. */
describe('a recurring task', () => {
  let setup: TaskSetup;

  beforeEach(() => {
    setup = new TaskSetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  it('is followed by its next run in the moment in which one is done, and the session is due for it', async () => {
    await setup.plan(0, daily);
    const first = await setup.run();
    expect(setup.runs()).toEqual(['2026-01-31T12:00 completed', '2026-02-01T12:00 pending']);
    expect(setup.store.tasks.find('t-1')).toMatchObject({ dueAt: '2026-02-01T12:00:00.000Z' });
    expect(setup.nextRunId).not.toBe(first);
    expect(setup.wakesIn()).toBe(24 * hour - 200);
  });

  it('keeps everything but its time', async () => {
    await setup.plan(0, { ...daily, timeZone: 'Asia/Tokyo' });
    await setup.run();
    const rows = setup.inbound(setup.session.id, (db) =>
      db
        .prepare(
          'SELECT kind, tries, recurrence, platform_id, channel_type, content, process_after FROM messages_in',
        )
        .all(),
    );
    expect(rows[1]).toEqual({ ...(rows[0] as object), process_after: '2026-02-01T04:00:00.000Z' });
  });

  it('comes after everything that was said', async () => {
    await setup.plan(0, daily);
    setup.runner.sayAll(['one', 'two', 'three', 'four', 'five']);
    await setup.run();
    const spoken = setup.outbound(setup.session.id, (db) =>
      db.prepare('SELECT max(seq) FROM messages_out').pluck().get(),
    );
    expect(setup.messagesIn(setup.session.id)[1]?.seq).toBeGreaterThan(Number(spoken));
  });

  it('goes on after a failed run, which is told, and whose retries do not shift it', async () => {
    await setup.plan(0, daily);
    const first = setup.nextRunId;
    for (const tries of [0, 1, 2]) {
      setup.clock.advance(10 * 60_000);
      setup.runner.fail(first, 'no model', tries);
      await setup.pass();
    }
    expect(setup.runs()).toEqual(['2026-01-31T12:00 failed', '2026-02-01T12:00 pending']);
    expect(setup.messagesIn(setup.session.id)[1]).toMatchObject({ tries: 0 });
    expect(setup.notices()[0]?.text).toContain('planned task could not be done');
    expect(setup.store.deadLetters.listForSession(setup.session.id)).toMatchObject([
      { messageId: first, reason: 'no model' },
    ]);
  });

  it('makes up once for all that was missed, and then keeps its times', async () => {
    await setup.plan(0, { recurrence: '0 * * * *' });
    setup.clock.advance(5 * hour + 600_000);
    await setup.run();
    expect(setup.runs()).toEqual(['2026-01-31T12:00 completed', '2026-01-31T18:00 pending']);
  });

  it('leaves out what a long run went past, and never runs twice at a time', async () => {
    await setup.plan(0, { recurrence: '*/10 * * * *' });
    await setup.run(25 * 60_000);
    await setup.run(9 * 60_000);
    expect(setup.runs()).toEqual([
      '2026-01-31T12:00 completed',
      '2026-01-31T12:30 completed',
      '2026-01-31T12:40 pending',
    ]);
  });

  it('does not run again what it ran by a clock that was set back since', async () => {
    await setup.plan(0, daily);
    await setup.run();
    setup.clock.advance(-hour);
    await setup.pass();
    setup.clock.advance(hour);
    await setup.pass();
    expect(setup.runs()).toEqual(['2026-01-31T12:00 completed', '2026-02-01T12:00 pending']);
  });

  it('is not doubled when what is settled is settled again', async () => {
    await setup.plan(0, daily);
    const first = await setup.run();
    setup.inbound(setup.session.id, (db) => {
      db.prepare(`UPDATE messages_in SET status = 'pending' WHERE id = ?`).run(first);
    });
    await setup.pass();
    expect(setup.runs()).toEqual(['2026-01-31T12:00 completed', '2026-02-01T12:00 pending']);
  });

  it('is told in its own time zone, in the chat’s, or in the install’s', async () => {
    await setup.plan(0, daily);
    await setup.run();
    expect(setup.store.tasks.find('t-1')?.dueAt).toBe('2026-02-01T12:00:00.000Z');
    setup.store.messagingGroups.update({ ...setup.chat, timeZone: 'America/New_York' });
    await setup.run();
    expect(setup.store.tasks.find('t-1')?.dueAt).toBe('2026-02-01T18:00:00.000Z');
    setup.store.messagingGroups.update({ ...setup.chat, timeZone: 'Mars/Phobos' });
    await setup.run();
    expect(setup.store.tasks.find('t-1')?.dueAt).toBe('2026-02-02T12:00:00.000Z');
  });

  it('is told in its own chat’s time zone where its session serves several chats', async () => {
    setup.store.messagingGroups.update({ ...setup.chat, timeZone: 'Australia/Sydney' });
    setup.store.wirings.update({ ...setup.wiring, sessionMode: 'agent-shared' });
    const task = await setup.plan(0, { recurrence: '0 9 * * *' });
    const session = setup.store.sessions.find(task.sessionId)!;
    expect(session.messagingGroupId).toBeNull();
    setup.runnerOf(session.id).complete(task.messageId);
    await setup.pass('running', session);
    expect(setup.store.tasks.find('t-1')?.dueAt).toBe('2026-01-31T22:00:00.000Z');
  });

  it('ends, and is said to, when somebody has made nonsense of its schedule', async () => {
    await setup.plan(0, daily);
    setup.inbound(setup.session.id, (db) => {
      db.prepare(`UPDATE messages_in SET recurrence = 'whenever'`).run();
    });
    await setup.run();
    expect(setup.runs()).toEqual(['2026-01-31T12:00 completed']);
    expect(setup.store.tasks.list()).toEqual([]);
    expect(setup.logLines.join()).toContain('recurring task ended: its schedule is none');
  });

  it('is followed all the same when its content is none', async () => {
    await setup.plan(0, daily);
    setup.inbound(setup.session.id, (db) => {
      db.prepare(`UPDATE messages_in SET content = 'nothing'`).run();
    });
    await setup.run();
    expect(setup.runs()).toHaveLength(2);
  });

  it('that was written by hand is a series too', async () => {
    await setup.post(setup.session, 'by-hand');
    setup.inbound(setup.session.id, (db) => {
      db.prepare(`UPDATE messages_in SET kind = 'task', recurrence = '0 13 * * *'`).run();
    });
    setup.runner.complete('by-hand');
    await setup.pass();
    setup.clock.advance(24 * hour);
    setup.runner.complete(setup.messagesIn(setup.session.id)[1]!.id);
    await setup.pass();
    expect(setup.runs()).toEqual([
      '2026-01-31T12:00 completed',
      '2026-02-01T12:00 completed',
      '2026-02-02T12:00 pending',
    ]);
    expect(
      new Set(setup.messagesIn(setup.session.id).map(({ id }) => id.split('-').length)),
    ).toEqual(new Set([2, 3]));
  });

  it('ends with its session: what was planned is cancelled, and told', async () => {
    await setup.plan(0, daily);
    await setup.run();
    setStatus(setup.store, setup.session.id, 'closed', 'closed');
    await setup.pass('ended');
    expect(setup.runs()).toEqual(['2026-01-31T12:00 completed', '2026-02-01T12:00 cancelled']);
    expect(setup.store.tasks.list()).toEqual([]);
    expect(setup.wakesIn()).toBeUndefined();
    expect(setup.notices().map(({ text }) => text)).toEqual([
      'A task that was planned here will not be run (“water the plants”): this conversation has been closed.',
    ]);
    expect(setup.store.deadLetters.listForSession(setup.session.id)).toEqual([]);
  });

  it('loses the run that is due when its session cannot be run, and keeps what is planned', async () => {
    await setup.plan(0, daily);
    await setup.plan(5 * hour, { id: 't-2' });
    await setup.settlement.giveUp(setup.session, 'the image is gone');
    expect(setup.runs()).toEqual([
      '2026-01-31T12:00 failed',
      '2026-01-31T17:00 pending',
      '2026-02-01T12:00 pending',
    ]);
    expect(setup.wakesIn()).toBe(5 * hour);
  });
});

describe('a task that runs once', () => {
  it('is off the list when it is done', async () => {
    using setup = new TaskSetup();
    await setup.plan(hour);
    await setup.run();
    expect(setup.runs()).toEqual(['2026-01-31T13:00 completed']);
    expect(setup.store.tasks.list()).toEqual([]);
    expect(setup.settled).toMatchObject([{ status: 'completed' }]);
  });
});
