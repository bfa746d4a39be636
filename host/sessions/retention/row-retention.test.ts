import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Slice, SliceRequest } from '../mailbox/inbound-pruner.js';
import { contextSize } from '../../../shared/protocol/limits.js';
import { UpkeepRoom } from '../../../test/fakes/upkeep-room.js';

describe('old messages', () => {
  let room: UpkeepRoom;

  beforeEach(() => {
    room = new UpkeepRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  /** As an agent group's config has it. */
  function keepDays(days: number): void {
    const config = JSON.stringify({ keepMessagesDays: days });
    room.central((db) => {
      db.prepare('UPDATE agent_groups SET container_config = ?').run(config);
    });
  }

  it('go when they are done with, the newest excepted', async () => {
    for (const id of ['m-1', 'm-2', 'm-3']) await room.exchange(id);
    room.advanceDays(364);
    await room.upkeep();
    expect(room.messageIds()).toEqual(['m-1', 'm-2', 'm-3']);
    room.advanceDays(2);
    await room.upkeep();
    expect(room.messageIds()).toEqual(['m-3']);
  });

  it('are kept as long as their agent group says', async () => {
    keepDays(2);
    await room.exchange('m-1');
    room.advanceDays(1);
    await room.exchange('m-2');
    room.advanceDays(1.5);
    await room.upkeep();
    expect(room.messageIds()).toEqual(['m-2']);
  });

  it('are all kept where that cannot be read', async () => {
    await room.exchange('m-1');
    await room.exchange('m-2');
    room.central((db) => {
      db.prepare(`UPDATE agent_groups SET container_config = '{"keepMessagesDays":"2"}'`).run();
    });
    room.advanceDays(400);
    await room.upkeep();
    expect(room.messageIds()).toEqual(['m-1', 'm-2']);
  });

  it('stay while a file of their session is to be repaired', async () => {
    for (const id of ['m-1', 'm-2']) await room.exchange(id);
    const createdAt = room.clock.iso();
    const repair = { file: 'outbound.db', action: 'wanted', detail: '', createdAt } as const;
    room.store.repairs.want(room.session.id, repair);
    room.advanceDays(400);
    await room.upkeep();
    expect(room.messageIds()).toEqual(['m-1', 'm-2']);
  });

  it('stay while they wait, have been given up, or are planned', async () => {
    const { id: sessionId } = room.session;
    await room.post(room.session, 'waits');
    for (const id of ['given-up', 'planned', 'm-1', 'm-2']) await room.exchange(id);
    const createdAt = room.clock.iso();
    room.store.deadLetters.insert({
      ...{ sessionId, direction: 'in', messageId: 'given-up', reason: '', createdAt },
    });
    room.store.tasks.set({
      ...{ id: 't-1', sessionId, messageId: 'planned', dueAt: createdAt, recurrence: null },
      ...{ messagingGroupId: null, timeZone: null, text: '', createdAt },
    });
    room.advanceDays(400);
    await room.upkeep();
    expect(room.messageIds()).toEqual(['waits', 'given-up', 'planned', 'm-2']);
  });

  it('count from the time that they were put off to', async () => {
    await room.exchange('m-1');
    await room.exchange('m-2');
    room.inbound(room.session.id, (db) => {
      const later = room.clock.iso(100 * 86_400_000);
      db.prepare(`UPDATE messages_in SET process_after = ? WHERE id = 'm-1'`).run(later);
    });
    room.advanceDays(400);
    await room.upkeep();
    expect(room.messageIds()).toEqual(['m-1', 'm-2']);
  });

  it('that nobody asked about are kept as far as a turn would read them, until they are old', async () => {
    const ids = Array.from({ length: contextSize + 30 }, (_, index) => `c-${index}`);
    await room.postContext(room.session, ...ids);
    room.inbound(room.session.id, (db) => {
      // As an older daemon has left it.
      db.exec(`UPDATE messages_in SET status = 'context'`);
    });
    await room.post(room.session, 'm-1');
    await room.upkeep();
    expect(statuses()).not.toContain('cancelled');
    room.runner.claim('m-1');
    room.runner.complete('m-1');
    await room.deliver();
    await room.upkeep();
    expect(statuses().filter((status) => status === 'context')).toHaveLength(contextSize);
    expect(statuses().slice(0, 30)).toEqual(Array(30).fill('cancelled'));
    room.advanceDays(366);
    await room.upkeep();
    expect(room.messageIds()).toEqual(['m-1']);
  });

  function statuses(): readonly string[] {
    return room.messagesIn(room.session.id).map(({ status }) => status);
  }

  it.each([1, 24, 25, 26, 130])('go whatever the slices: %i of them', async (count) => {
    const ids = Array.from({ length: count }, (_, index) => `m-${index}`);
    await room.post(room.session, ...ids, 'last');
    room.runner.complete(...ids, 'last');
    room.runner.sayAll([...ids, 'end']);
    await room.deliver();
    room.advanceDays(366);
    room.runnerPrunes();
    await room.upkeep();
    expect(room.messageIds()).toEqual(['last']);
    expect(room.messagesOut()).toEqual(['end']);
    expect(Object.keys(room.deliveries(room.session.id))).toEqual(['end']);
    room.advanceDays(1);
    room.runnerPrunes();
    expect(room.acks()).toEqual(['last']);
  });
});

describe('long messages', () => {
  it('go a few at a time', async () => {
    using room = new UpkeepRoom();
    const ids = Array.from({ length: 12 }, (_, index) => `m-${index}`);
    await room.post(room.session, ...ids);
    room.runner.complete(...ids);
    await room.deliver();
    room.inbound(room.session.id, (db) => {
      db.prepare('UPDATE messages_in SET content = ?').run('x'.repeat(300_000));
    });
    room.advanceDays(366);
    const slices: number[] = [];
    for (let after: number | undefined = 0; after !== undefined;) {
      const request: SliceRequest = { after, limit: 100, cutoff: room.clock.iso(-1) };
      const { mailbox, session } = room;
      const none = new Set<string>();
      const slice: Slice = await mailbox.inbound(session.id, 'pruneMessages', request, none);
      slices.push(slice.removed);
      after = slice.next;
    }
    expect(Math.max(...slices)).toBe(1);
    expect(room.messageIds()).toEqual(['m-11']);
  });
});

describe('the two halves of pruning', () => {
  let room: UpkeepRoom;

  beforeEach(() => {
    room = new UpkeepRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  const host = (): Promise<void> => room.upkeep();
  const runner = (): Promise<void> => {
    // Once a day is enough for a runner; here each is another day's.
    room.advanceDays(1);
    room.runnerPrunes();
    return Promise.resolve();
  };

  it.each([
    ['the host alone', [host, host, host]],
    ['the runner alone', [runner, runner, runner]],
    ['the host first', [host, runner, host, runner]],
    ['the runner first', [runner, host, runner, host]],
  ])('send and run nothing again: %s', async (_, halves) => {
    for (const id of ['m-1', 'm-2', 'm-3']) await room.exchange(id);
    await room.post(room.session, 'm-fails');
    room.runner.fail('m-fails', 'no');
    await room.deliver();
    const sent = room.texts();
    room.advanceDays(400);
    for (const half of halves) {
      await half();
      // As after a crash: nothing is remembered, everything is read anew.
      room.rebuild();
      await room.deliver();
      expect(room.texts()).toEqual(sent);
      const open = room.messagesIn(room.session.id).filter(({ status }) => status === 'pending');
      expect(open.map(({ id }) => id)).toEqual(['m-fails']);
    }
    room.runner.complete('m-fails');
    await room.exchange('m-4');
    expect(room.texts()).toEqual([...sent, 'answer to m-4']);
    expect(room.messageIds().slice(-2)).toEqual(['m-fails', 'm-4']);
  });

  it('leave the newest of both sides, so that what comes is in order', async () => {
    for (const id of ['m-1', 'm-2', 'm-3']) await room.exchange(id);
    const newest = Math.max(...seqs());
    room.advanceDays(400);
    for (const half of [runner, host, runner, host]) await half();
    expect(room.messageIds()).toEqual(['m-3']);
    expect(room.messagesOut()).toEqual(['o-m-3']);
    expect(room.acks()).toEqual(['m-3']);
    await room.exchange('m-4');
    expect(seqs().at(-1)).toBeGreaterThan(newest);
    expect(room.messagesOut()).toEqual(['o-m-3', 'o-m-4']);
  });

  function seqs(): readonly number[] {
    return room.messagesIn(room.session.id).map(({ seq }) => seq);
  }

  it('keep an outcome for as long as its message is there', async () => {
    for (const id of ['m-1', 'm-2']) await room.exchange(id);
    room.advanceDays(400);
    await room.upkeep();
    expect(room.deliveries(room.session.id)).toEqual({
      'o-m-1': 'delivered',
      'o-m-2': 'delivered',
    });
  });

  it('keep an outcome while the file of its message has just been written to', async () => {
    for (const id of ['m-1', 'm-2']) await room.exchange(id);
    room.advanceDays(400);
    room.runnerPrunes();
    expect(room.messagesOut()).toEqual(['o-m-2']);
    const nowMs = Date.now();
    const backMs = room.clock.now() - nowMs;
    // The file's time is the real one: so is the clock's now.
    room.clock.advance(-backMs);
    room.inbound(room.session.id, (db) => {
      db.prepare(`UPDATE delivered SET delivered_at = '2020'`).run();
    });
    await room.upkeep();
    expect(Object.keys(room.deliveries(room.session.id))).toEqual(['o-m-1', 'o-m-2']);
    room.clock.advance(120_000);
    await room.upkeep();
    expect(Object.keys(room.deliveries(room.session.id))).toEqual(['o-m-2']);
  });

  it('keep a reply that is still to be sent, however old it is, and send it once', async () => {
    room.channel.leave('chat-1');
    for (const id of ['m-1', 'm-2']) await room.exchange(id);
    room.advanceDays(400);
    for (const half of [runner, host, runner, host]) await half();
    expect(room.messagesOut()).toEqual(['o-m-1', 'o-m-2']);
    room.channel.listen('chat-1');
    await room.deliver();
    for (const half of [runner, host]) await half();
    await room.deliver();
    expect(room.texts()).toEqual(['answer to m-1', 'answer to m-2']);
  });

  it('behind many that are planned for later go all the same', async () => {
    const ids = Array.from({ length: 60 }, (_, index) => `t-${index}`);
    await room.post(room.session, ...ids);
    room.inbound(room.session.id, (db) => {
      const later = room.clock.iso(900 * 86_400_000);
      db.prepare('UPDATE messages_in SET timestamp = ?, process_after = ?').run(later, later);
    });
    await room.exchange('m-1');
    await room.exchange('m-2');
    room.advanceDays(400);
    await room.upkeep();
    expect(room.messageIds()).toEqual([...ids, 'm-2']);
  });

  it('go on the runner’s side by what the host has said last, dead letters excepted', async () => {
    for (const id of ['m-1', 'm-2', 'm-3']) await room.exchange(id);
    const createdAt = room.clock.iso();
    const { id: sessionId } = room.session;
    room.store.deadLetters.insert({
      ...{ sessionId, direction: 'out', messageId: 'o-m-2', reason: '', createdAt },
    });
    room.runnerObeys();
    room.advanceDays(400);
    room.runnerObeys();
    expect(room.messagesOut()).toEqual(['o-m-1', 'o-m-2', 'o-m-3']);
    await room.upkeep();
    room.runnerObeys();
    expect(room.messagesOut()).toEqual(['o-m-2', 'o-m-3']);
  });

  it('keep a reply that a person may still try to send', async () => {
    for (const id of ['m-1', 'm-2', 'm-3']) await room.exchange(id);
    room.advanceDays(400);
    room.runnerPrunes(['o-m-1']);
    expect(room.messagesOut()).toEqual(['o-m-1', 'o-m-3']);
  });

  it('forget what was noted of a message only when the message is gone', async () => {
    await room.post(room.session, 'm-1', 'm-2');
    room.runner.claimTry(1, 'm-1');
    room.runner.fail('m-1', 'no', 1);
    room.runner.complete('m-2');
    room.advanceDays(400);
    room.runnerPrunes();
    expect(room.acks()).toEqual(['m-1', 'm-2']);
    room.inbound(room.session.id, (db) => {
      db.prepare(`DELETE FROM messages_in WHERE id = 'm-1'`).run();
    });
    room.advanceDays(1);
    room.runnerPrunes();
    expect(room.acks()).toEqual(['m-2']);
    const keys = room.outbound(room.session.id, (db) =>
      db.prepare<[], string>('SELECT key FROM session_state').pluck().all(),
    );
    expect(keys.filter((key) => key.includes('m-1'))).toEqual([]);
  });
});
