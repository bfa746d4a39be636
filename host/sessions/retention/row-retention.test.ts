import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Slice, SliceRequest } from '../mailbox/inbound-pruner.js';
import { contextSize } from '../../../shared/protocol/limits.js';
import { UpkeepSetup } from '../../../test/fakes/upkeep-setup.js';

describe('old messages', () => {
  let setup: UpkeepSetup;

  beforeEach(() => {
    setup = new UpkeepSetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  /** As an agent group's config has it. */
  function keepDays(days: number): void {
    const config = JSON.stringify({ keepMessagesDays: days });
    setup.central((db) => {
      db.prepare('UPDATE agent_groups SET container_config = ?').run(config);
    });
  }

  it('go when they are done with, the newest excepted', async () => {
    for (const id of ['m-1', 'm-2', 'm-3']) await setup.exchange(id);
    setup.advanceDays(364);
    await setup.upkeep();
    expect(setup.messageIds()).toEqual(['m-1', 'm-2', 'm-3']);
    setup.advanceDays(2);
    await setup.upkeep();
    expect(setup.messageIds()).toEqual(['m-3']);
  });

  it('are kept as long as their agent group says', async () => {
    keepDays(2);
    await setup.exchange('m-1');
    setup.advanceDays(1);
    await setup.exchange('m-2');
    setup.advanceDays(1.5);
    await setup.upkeep();
    expect(setup.messageIds()).toEqual(['m-2']);
  });

  it('are all kept where that cannot be read', async () => {
    await setup.exchange('m-1');
    await setup.exchange('m-2');
    setup.central((db) => {
      db.prepare(`UPDATE agent_groups SET container_config = '{"keepMessagesDays":"2"}'`).run();
    });
    setup.advanceDays(400);
    await setup.upkeep();
    expect(setup.messageIds()).toEqual(['m-1', 'm-2']);
  });

  it('stay while a file of their session is to be repaired', async () => {
    for (const id of ['m-1', 'm-2']) await setup.exchange(id);
    const createdAt = setup.clock.iso();
    const repair = { file: 'outbound.db', action: 'wanted', detail: '', createdAt } as const;
    setup.store.repairs.want(setup.session.id, repair);
    setup.advanceDays(400);
    await setup.upkeep();
    expect(setup.messageIds()).toEqual(['m-1', 'm-2']);
  });

  it('stay while they wait, have been given up, or are planned', async () => {
    const { id: sessionId } = setup.session;
    await setup.post(setup.session, 'waits');
    for (const id of ['given-up', 'planned', 'm-1', 'm-2']) await setup.exchange(id);
    const createdAt = setup.clock.iso();
    setup.store.deadLetters.insert({
      ...{ sessionId, direction: 'in', messageId: 'given-up', reason: '', createdAt },
    });
    setup.store.tasks.set({
      ...{ id: 't-1', sessionId, messageId: 'planned', dueAt: createdAt, recurrence: null },
      ...{ messagingGroupId: null, timeZone: null, text: '', createdAt },
    });
    setup.advanceDays(400);
    await setup.upkeep();
    expect(setup.messageIds()).toEqual(['waits', 'given-up', 'planned', 'm-2']);
  });

  it('count from the time that they were put off to', async () => {
    await setup.exchange('m-1');
    await setup.exchange('m-2');
    setup.inbound(setup.session.id, (db) => {
      const later = setup.clock.iso(100 * 86_400_000);
      db.prepare(`UPDATE messages_in SET process_after = ? WHERE id = 'm-1'`).run(later);
    });
    setup.advanceDays(400);
    await setup.upkeep();
    expect(setup.messageIds()).toEqual(['m-1', 'm-2']);
  });

  it('that nobody asked about are kept as far as a turn would read them, until they are old', async () => {
    const ids = Array.from({ length: contextSize + 30 }, (_, index) => `c-${index}`);
    await setup.postContext(setup.session, ...ids);
    setup.inbound(setup.session.id, (db) => {
      // As an older daemon has left it.
      db.exec(`UPDATE messages_in SET status = 'context'`);
    });
    await setup.post(setup.session, 'm-1');
    await setup.upkeep();
    expect(statuses()).not.toContain('cancelled');
    setup.runner.claim('m-1');
    setup.runner.complete('m-1');
    await setup.deliver();
    await setup.upkeep();
    expect(statuses().filter((status) => status === 'context')).toHaveLength(contextSize);
    expect(statuses().slice(0, 30)).toEqual(Array(30).fill('cancelled'));
    setup.advanceDays(366);
    await setup.upkeep();
    expect(setup.messageIds()).toEqual(['m-1']);
  });

  function statuses(): readonly string[] {
    return setup.messagesIn(setup.session.id).map(({ status }) => status);
  }

  it.each([1, 24, 25, 26, 130])('go whatever the slices: %i of them', async (count) => {
    const ids = Array.from({ length: count }, (_, index) => `m-${index}`);
    await setup.post(setup.session, ...ids, 'last');
    setup.runner.complete(...ids, 'last');
    setup.runner.sayAll([...ids, 'end']);
    await setup.deliver();
    setup.advanceDays(366);
    setup.runnerPrunes();
    await setup.upkeep();
    expect(setup.messageIds()).toEqual(['last']);
    expect(setup.messagesOut()).toEqual(['end']);
    expect(Object.keys(setup.deliveries(setup.session.id))).toEqual(['end']);
    setup.advanceDays(1);
    setup.runnerPrunes();
    expect(setup.acks()).toEqual(['last']);
  });
});

describe('long messages', () => {
  it('go a few at a time', async () => {
    using setup = new UpkeepSetup();
    const ids = Array.from({ length: 12 }, (_, index) => `m-${index}`);
    await setup.post(setup.session, ...ids);
    setup.runner.complete(...ids);
    await setup.deliver();
    setup.inbound(setup.session.id, (db) => {
      db.prepare('UPDATE messages_in SET content = ?').run('x'.repeat(300_000));
    });
    setup.advanceDays(366);
    const slices: number[] = [];
    for (let after: number | undefined = 0; after !== undefined;) {
      const request: SliceRequest = { after, limit: 100, cutoff: setup.clock.iso(-1) };
      const { mailbox, session } = setup;
      const none = new Set<string>();
      const slice: Slice = await mailbox.inbound(session.id, 'pruneMessages', request, none);
      slices.push(slice.removed);
      after = slice.next;
    }
    expect(Math.max(...slices)).toBe(1);
    expect(setup.messageIds()).toEqual(['m-11']);
  });
});

describe('the two halves of pruning', () => {
  let setup: UpkeepSetup;

  beforeEach(() => {
    setup = new UpkeepSetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  const host = (): Promise<void> => setup.upkeep();
  const runner = (): Promise<void> => {
    // Once a day is enough for a runner; here each is another day's.
    setup.advanceDays(1);
    setup.runnerPrunes();
    return Promise.resolve();
  };

  it.each([
    ['the host alone', [host, host, host]],
    ['the runner alone', [runner, runner, runner]],
    ['the host first', [host, runner, host, runner]],
    ['the runner first', [runner, host, runner, host]],
  ])('send and run nothing again: %s', async (_, halves) => {
    for (const id of ['m-1', 'm-2', 'm-3']) await setup.exchange(id);
    await setup.post(setup.session, 'm-fails');
    setup.runner.fail('m-fails', 'no');
    await setup.deliver();
    const sent = setup.texts();
    setup.advanceDays(400);
    for (const half of halves) {
      await half();
      // As after a crash: nothing is remembered, everything is read anew.
      setup.rebuild();
      await setup.deliver();
      expect(setup.texts()).toEqual(sent);
      const open = setup.messagesIn(setup.session.id).filter(({ status }) => status === 'pending');
      expect(open.map(({ id }) => id)).toEqual(['m-fails']);
    }
    setup.runner.complete('m-fails');
    await setup.exchange('m-4');
    expect(setup.texts()).toEqual([...sent, 'answer to m-4']);
    expect(setup.messageIds().slice(-2)).toEqual(['m-fails', 'm-4']);
  });

  it('leave the newest of both sides, so that what comes is in order', async () => {
    for (const id of ['m-1', 'm-2', 'm-3']) await setup.exchange(id);
    const newest = Math.max(...seqs());
    setup.advanceDays(400);
    for (const half of [runner, host, runner, host]) await half();
    expect(setup.messageIds()).toEqual(['m-3']);
    expect(setup.messagesOut()).toEqual(['o-m-3']);
    expect(setup.acks()).toEqual(['m-3']);
    await setup.exchange('m-4');
    expect(seqs().at(-1)).toBeGreaterThan(newest);
    expect(setup.messagesOut()).toEqual(['o-m-3', 'o-m-4']);
  });

  function seqs(): readonly number[] {
    return setup.messagesIn(setup.session.id).map(({ seq }) => seq);
  }

  it('keep an outcome for as long as its message is there', async () => {
    for (const id of ['m-1', 'm-2']) await setup.exchange(id);
    setup.advanceDays(400);
    await setup.upkeep();
    expect(setup.deliveries(setup.session.id)).toEqual({
      'o-m-1': 'delivered',
      'o-m-2': 'delivered',
    });
  });

  it('keep an outcome while the file of its message has just been written to', async () => {
    for (const id of ['m-1', 'm-2']) await setup.exchange(id);
    setup.advanceDays(400);
    setup.runnerPrunes();
    expect(setup.messagesOut()).toEqual(['o-m-2']);
    const nowMs = Date.now();
    const backMs = setup.clock.now() - nowMs;
    // The file's time is the real one: so is the clock's now.
    setup.clock.advance(-backMs);
    setup.inbound(setup.session.id, (db) => {
      db.prepare(`UPDATE delivered SET delivered_at = '2020'`).run();
    });
    await setup.upkeep();
    expect(Object.keys(setup.deliveries(setup.session.id))).toEqual(['o-m-1', 'o-m-2']);
    setup.clock.advance(120_000);
    await setup.upkeep();
    expect(Object.keys(setup.deliveries(setup.session.id))).toEqual(['o-m-2']);
  });

  it('keep a reply that is still to be sent, however old it is, and send it once', async () => {
    setup.channel.leave('chat-1');
    for (const id of ['m-1', 'm-2']) await setup.exchange(id);
    setup.advanceDays(400);
    for (const half of [runner, host, runner, host]) await half();
    expect(setup.messagesOut()).toEqual(['o-m-1', 'o-m-2']);
    setup.channel.listen('chat-1');
    await setup.deliver();
    for (const half of [runner, host]) await half();
    await setup.deliver();
    expect(setup.texts()).toEqual(['answer to m-1', 'answer to m-2']);
  });

  it('behind many that are planned for later go all the same', async () => {
    const ids = Array.from({ length: 60 }, (_, index) => `t-${index}`);
    await setup.post(setup.session, ...ids);
    setup.inbound(setup.session.id, (db) => {
      const later = setup.clock.iso(900 * 86_400_000);
      db.prepare('UPDATE messages_in SET timestamp = ?, process_after = ?').run(later, later);
    });
    await setup.exchange('m-1');
    await setup.exchange('m-2');
    setup.advanceDays(400);
    await setup.upkeep();
    expect(setup.messageIds()).toEqual([...ids, 'm-2']);
  });

  it('go on the runner’s side by what the host has said last, dead letters excepted', async () => {
    for (const id of ['m-1', 'm-2', 'm-3']) await setup.exchange(id);
    const createdAt = setup.clock.iso();
    const { id: sessionId } = setup.session;
    setup.store.deadLetters.insert({
      ...{ sessionId, direction: 'out', messageId: 'o-m-2', reason: '', createdAt },
    });
    setup.runnerObeys();
    setup.advanceDays(400);
    setup.runnerObeys();
    expect(setup.messagesOut()).toEqual(['o-m-1', 'o-m-2', 'o-m-3']);
    await setup.upkeep();
    setup.runnerObeys();
    expect(setup.messagesOut()).toEqual(['o-m-2', 'o-m-3']);
  });

  it('keep a reply that a person may still try to send', async () => {
    for (const id of ['m-1', 'm-2', 'm-3']) await setup.exchange(id);
    setup.advanceDays(400);
    setup.runnerPrunes(['o-m-1']);
    expect(setup.messagesOut()).toEqual(['o-m-1', 'o-m-3']);
  });

  it('forget what was noted of a message only when the message is gone', async () => {
    await setup.post(setup.session, 'm-1', 'm-2');
    setup.runner.claimTry(1, 'm-1');
    setup.runner.fail('m-1', 'no', 1);
    setup.runner.complete('m-2');
    setup.advanceDays(400);
    setup.runnerPrunes();
    expect(setup.acks()).toEqual(['m-1', 'm-2']);
    setup.inbound(setup.session.id, (db) => {
      db.prepare(`DELETE FROM messages_in WHERE id = 'm-1'`).run();
    });
    setup.advanceDays(1);
    setup.runnerPrunes();
    expect(setup.acks()).toEqual(['m-2']);
    const keys = setup.outbound(setup.session.id, (db) =>
      db.prepare<[], string>('SELECT key FROM session_state').pluck().all(),
    );
    expect(keys.filter((key) => key.includes('m-1'))).toEqual([]);
  });
});
