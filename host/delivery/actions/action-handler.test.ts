import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DeliverySetup } from '../../../test/fakes/delivery-setup.js';
import { exampleOf, actions } from './builtin-actions.js';
import { setStatus } from '../../../test/fakes/session-rows.js';

interface AnswerRow {
  readonly id: string;
  readonly status: string;
  readonly content: string;
}

describe('an action that an agent asks for', () => {
  let setup: DeliverySetup;

  beforeEach(() => {
    setup = new DeliverySetup();
    setup.addWiring(setup.chat, setup.agentGroup);
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  function ask(id: string, action: string, parameters: object = {}, inReplyTo = 'm-1'): void {
    setup.runner.sayContent(id, { action, parameters }, { kind: 'system', inReplyTo });
  }

  /** `done o-1: Nothing is planned. (wakes)` */
  function answers(): readonly string[] {
    return setup.inbound(setup.session.id, (db) =>
      db
        .prepare<[], AnswerRow>(
          `SELECT id, status, content FROM messages_in WHERE kind = 'system' ORDER BY seq`,
        )
        .all()
        .map(({ id, status, content }) => {
          const { event, text } = JSON.parse(content) as { event: string; text: string };
          const wakes = status === 'pending' ? ' (wakes)' : '';
          return `${event.replace('action.', '')} ${id.replace('action-', '')}: ${text}${wakes}`;
        }),
    );
  }

  function tasks(): readonly string[] {
    return setup.store.tasks.list().map(({ text, dueAt, recurrence }) => {
      return `${text} ${dueAt.slice(0, 16)} ${recurrence ?? 'once'}`;
    });
  }

  it('plans a task once, also where the daemon dies before that is noted', async () => {
    ask('o-1', 'schedule_task', { text: 'water', at: '2026-01-31 15:00' });
    await setup.deliver();
    expect(tasks()).toEqual(['water 2026-01-31T15:00 once']);
    expect(answers()).toEqual([expect.stringMatching(/^done o-1: Planned the task t-[^ ]+: next/)]);
    expect(setup.deliveries(setup.session.id)).toEqual({ 'o-1': 'delivered' });
    setup.inbound(setup.session.id, (db) => {
      db.exec('DELETE FROM delivered');
    });
    setup.rebuild();
    await setup.deliver();
    expect(tasks()).toHaveLength(1);
    expect(answers()).toHaveLength(1);
    expect(setup.deliveries(setup.session.id)).toEqual({ 'o-1': 'delivered' });
  });

  it.each([
    [{ text: 'x', every: '0 9 * * *' }, 'x 2026-02-01T09:00 0 9 * * *'],
    [{ text: 'x', every: '0 9 * * *', timeZone: 'Europe/Berlin' }, 'x 2026-02-01T08:00 0 9 * * *'],
    [{ text: 'x', at: '2026-01-31T15:00:00+01:00' }, 'x 2026-01-31T14:00 once'],
  ])('plans %j', async (parameters, expected) => {
    ask('o-1', 'schedule_task', parameters);
    await setup.deliver();
    expect(tasks()).toEqual([expected]);
  });

  it('lists what is planned, and wakes the agent with that', async () => {
    ask('o-1', 'list_tasks');
    await setup.deliver();
    expect(answers()).toEqual(['done o-1: Nothing is planned. (wakes)']);
    expect(setup.posted).toEqual([setup.session.id]);
    ask('o-2', 'schedule_task', { text: 'water', every: '0 9 * * *' });
    ask('o-3', 'list_tasks');
    await setup.deliver();
    expect(answers().at(-1)).toMatch(
      /^done o-3: t-.* \(2026-02-01T09.*, then 0 9 \* \* \*\): water/,
    );
  });

  it('ends a task of its own conversation, and of no other; asked again it says the same', async () => {
    ask('o-1', 'schedule_task', { text: 'water', every: '0 9 * * *' });
    await setup.deliver();
    const id = setup.store.tasks.list()[0]?.id ?? '';
    ask('o-2', 'cancel_task', { id });
    ask('o-3', 'cancel_task', { id: 't-of-another' });
    await setup.deliver();
    expect(tasks()).toEqual([]);
    expect(answers().slice(1)).toEqual([
      `done o-2: Cancelled the task ${id}.`,
      'failed o-3: This conversation has no task "t-of-another". Its tasks are: none. (wakes)',
    ]);
    setup.inbound(setup.session.id, (db) => {
      db.exec(`DELETE FROM delivered; DELETE FROM messages_in WHERE kind = 'system'`);
    });
    setup.rebuild();
    await setup.deliver();
    expect(answers().slice(1, 2)).toEqual([`done o-2: Cancelled the task ${id}.`]);
  });

  it('plans in the conversation that asks, also where that is one thread of several', async () => {
    const thread = setup.addSession({ messagingGroupId: setup.chat.id, threadId: 'th-1' });
    await setup.post(thread, 'm-1');
    setup
      .runnerOf(thread.id)
      .sayContent(
        'o-1',
        { action: 'schedule_task', parameters: { text: 'water', every: '0 9 * * *' } },
        { kind: 'system' },
      );
    await setup.deliver(thread);
    expect(setup.store.tasks.listForSession(thread.id)).toHaveLength(1);
    expect(setup.store.tasks.list()).toHaveLength(1);
  });

  it('is not done for a conversation that has ended', async () => {
    ask('o-1', 'schedule_task', { text: 'water', every: '0 9 * * *' });
    setStatus(setup.store, setup.session.id, 'closed', null);
    await setup.deliver();
    expect(tasks()).toEqual([]);
    expect(setup.store.sessions.list({ status: 'active' })).toEqual([]);
    expect(setup.deliveries(setup.session.id)).toEqual({ 'o-1': 'failed' });
  });

  it.each([
    ['fly', {}, 'There is no action "fly". The actions are: schedule_task, cancel_task'],
    ['schedule_task', { text: 'x' }, 'A task has either `at` or `every`.'],
    ['schedule_task', { text: 'x', at: '2020-01-01 09:00' }, 'has passed'],
    ['schedule_task', { text: 'x', every: 'daily' }, 'daily'],
    ['schedule_task', { text: 'x', every: '0 9 * * *', timeZone: 'Mars' }, 'Mars'],
    ['schedule_task', { text: '', at: '2030-01-01 09:00' }, 'cannot be used'],
    ['cancel_task', {}, 'Write them like {"id":"t-…"}.'],
  ])('that cannot be done is answered with why: %s %j', async (action, parameters, why) => {
    ask('o-1', action, parameters);
    setup.runner.say('o-2');
    await setup.deliver();
    expect(answers()).toEqual([expect.stringContaining(why)]);
    expect(answers()[0]).toMatch(/^failed o-1: .* \(wakes\)$/s);
    expect(setup.deliveries(setup.session.id)).toEqual({ 'o-1': 'failed', 'o-2': 'delivered' });
    expect(setup.outDeadLetters()).toEqual({});
  });

  it('is answered twenty times for one message, once more with a refusal, and then no more', async () => {
    for (let i = 0; i < 25; i += 1) ask(`o-${i}`, 'list_tasks');
    ask('o-other', 'list_tasks', {}, 'm-2');
    await setup.deliver();
    const texts = answers();
    expect(texts.filter((text) => text.startsWith('done'))).toHaveLength(21);
    expect(texts.filter((text) => text.includes('20 actions at most'))).toHaveLength(1);
    expect(texts).toHaveLength(22);
  });

  it('has an example that its own parameters take', () => {
    for (const { name, parameters } of actions) {
      expect(parameters.safeParse(JSON.parse(exampleOf[name])).success).toBe(true);
    }
  });

  it.each([
    ['the name of an action', 'x'.repeat(400_000), {}],
    ['the id of a task', 'cancel_task', { id: 'x'.repeat(400_000) }],
    [
      'a time zone',
      'schedule_task',
      { text: 'a', every: '* * * * *', timeZone: 'x'.repeat(400_000) },
    ],
    ['a destination', 'send_to_agent', { to: 'x'.repeat(400_000), text: 'a' }],
    ['the name of a parameter', 'list_tasks', { ['x'.repeat(400_000)]: 1 }],
  ])(
    'is refused in few words, and noted so, however long %s is',
    async (_what, action, parameters) => {
      ask('o-1', action, parameters);
      await setup.deliver();
      const [answer = ''] = answers();
      expect(answer.length).toBeLessThan(1_500);
      const receipt = setup.store.actionReceipts.findOutcome(setup.session.id, 'o-1') ?? '';
      expect(receipt.length).toBeLessThan(1_500);
      const size = setup.inbound(setup.session.id, (db) =>
        db.prepare('SELECT max(length(content)) FROM messages_in').pluck().get(),
      );
      expect(size).toBeLessThan(3_000);
    },
  );

  it('keeps no copy of what a question was answered, and answers it anew after a crash', async () => {
    ask('o-1', 'list_tasks');
    await setup.deliver();
    expect(setup.store.actionReceipts.findOutcome(setup.session.id, 'o-1')).toBe('null');
    setup.inbound(setup.session.id, (db) => {
      db.exec("DELETE FROM delivered; DELETE FROM messages_in WHERE id = 'action-o-1'");
    });
    setup.rebuild();
    await setup.deliver();
    expect(answers()).toEqual(['done o-1: Nothing is planned. (wakes)']);
  });

  it('plans a hundred tasks for one conversation, and no more', async () => {
    for (let n = 1; n <= 101; n += 1) {
      ask(`o-${n}`, 'schedule_task', { text: 'x'.repeat(20_000), every: '0 9 * * *' }, `m-${n}`);
    }
    await setup.deliver();
    expect(tasks()).toHaveLength(100);
    expect(answers().at(-1)).toContain('100 tasks are planned here already');
    ask('o-200', 'list_tasks', {}, 'm-200');
    await setup.deliver();
    const listed = answers().at(-1) ?? '';
    expect(listed.length).toBeLessThan(40_000);
  });
});
