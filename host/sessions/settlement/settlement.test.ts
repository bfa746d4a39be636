import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readFacts } from '../pass/facts.js';
import { OpenWork } from '../mailbox/open-work.js';
import { SettlingRoom } from '../../../test/fakes/settling-room.js';

const address = { channelType: 'fake', platformId: 'chat-1', threadId: null };

const wholeFile = { after: 0, limit: 1, asksForAll: true };

describe('what becomes of an inbound message', () => {
  type Ack = 'none' | 'processing' | 'completed' | 'failed';
  const cases: readonly [Ack, tries: number, ended: 'running' | 'ended', after: string][] = [
    ['none', 0, 'running', 'pending 0'],
    ['none', 0, 'ended', 'pending 0'],
    ['none', 2, 'ended', 'pending 2'],
    ['processing', 0, 'running', 'pending 0'],
    ['processing', 0, 'ended', 'pending 1 +1000'],
    ['processing', 1, 'ended', 'pending 2 +2000'],
    ['processing', 2, 'ended', 'failed 2'],
    ['completed', 0, 'running', 'completed 0'],
    ['completed', 0, 'ended', 'completed 0'],
    ['completed', 2, 'running', 'completed 2'],
    ['failed', 0, 'running', 'pending 1 +1000'],
    ['failed', 0, 'ended', 'pending 1 +1000'],
    ['failed', 1, 'running', 'pending 2 +2000'],
    ['failed', 2, 'running', 'failed 2'],
    ['failed', 2, 'ended', 'failed 2'],
  ];

  it.each(cases)('acked %s in try %i, its container %s: %s', async (ack, tries, ended, after) => {
    using room = new SettlingRoom();
    await room.post(room.session, 'm-1');
    room.inbound(room.session.id, (db) =>
      db.prepare('UPDATE messages_in SET tries = ?').run(tries),
    );
    if (ack !== 'none') room.runner.claimTry(tries, 'm-1');
    if (ack === 'completed') room.runner.complete('m-1');
    if (ack === 'failed') room.runner.fail('m-1', 'no model', tries);
    await room.look(ended);
    expect(room.describe()).toEqual({ 'm-1': after });
    const isOpen = after.startsWith('pending');
    expect(room.wakesIn()).toBe(isOpen ? Number(/\+(\d+)/.exec(after)?.[1] ?? 0) : undefined);
    expect(room.settled).toEqual(
      after.startsWith('completed') ? [{ messageId: 'm-1', address, status: 'completed' }] : [],
    );
    expect(room.notices()).toHaveLength(after.startsWith('failed') ? 1 : 0);
    // A second pass sees the same acks, and has nothing left to do.
    await room.look();
    expect(room.describe()).toEqual({ 'm-1': after });
  });
});

describe('settlement', () => {
  let room: SettlingRoom;

  beforeEach(() => {
    room = new SettlingRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  it('gives up after the last try: a dead letter with the runner’s reason, and one word in the chat', async () => {
    await room.post(room.session, 'm-1');
    for (const tries of [0, 1, 2]) {
      room.runner.claimTry(tries, 'm-1');
      room.runner.fail('m-1', `no model (${tries})`, tries);
      await room.look();
      await room.look('ended');
    }
    expect(room.describe()).toMatchObject({ 'm-1': expect.stringMatching(/^failed 2/) as string });
    expect(room.store.deadLetters.listForSession(room.session.id)).toMatchObject([
      { direction: 'in', messageId: 'm-1', reason: 'no model (2)' },
    ]);
    expect(room.notices()).toMatchObject([{ in_reply_to: 'm-1', status: 'pending' }]);
    expect(room.settled).toEqual([]);
    expect(room.wakesIn()).toBeUndefined();
  });

  it('counts a failure once, however many passes there are, also after a restart', async () => {
    await room.post(room.session, 'm-1');
    room.runner.claim('m-1');
    room.runner.fail('m-1', 'no model');
    await room.look();
    for (let again = 0; again < 5; again += 1) {
      room.restart();
      await room.look('ended');
    }
    expect(room.describe()).toEqual({ 'm-1': 'pending 1 +1000' });
    expect(room.wakesIn()).toBe(1_000);
  });

  it('counts a claim that a crash ended once, until the next try claims it', async () => {
    await room.post(room.session, 'm-1');
    room.runner.claim('m-1');
    await room.look('ended');
    await room.look('ended');
    expect(room.describe()).toEqual({ 'm-1': 'pending 1 +1000' });
    room.runner.claimTry(1, 'm-1');
    await room.look();
    expect(room.describe()).toEqual({ 'm-1': 'pending 1 +1000' });
    await room.look('ended');
    expect(room.describe()).toEqual({ 'm-1': 'pending 2 +2000' });
  });

  it('settles what succeeds after a failure', async () => {
    await room.post(room.session, 'm-1');
    room.runner.claim('m-1');
    room.runner.fail('m-1', 'no model');
    await room.look();
    room.clock.advance(1_000);
    room.runner.claimTry(1, 'm-1');
    room.runner.complete('m-1');
    await room.look();
    expect(room.describe()).toEqual({ 'm-1': 'completed 1 +0' });
    expect(room.wakesIn()).toBeUndefined();
  });

  it('wakes the session for its earliest open message', async () => {
    await room.post(room.session, 'now', 'soon', 'later');
    room.inbound(room.session.id, (db) => {
      const put = db.prepare('UPDATE messages_in SET process_after = ? WHERE id = ?');
      put.run(room.clock.iso(7_000), 'soon');
      put.run(room.clock.iso(9_000), 'later');
    });
    await room.look();
    expect(room.wakesIn()).toBe(0);
    room.runner.complete('now');
    await room.look();
    expect(room.wakesIn()).toBe(7_000);
    room.runner.complete('soon', 'later');
    await room.look();
    expect(room.wakesIn()).toBeUndefined();
  });

  it('leaves a start that is put off to its own time, until something succeeds', async () => {
    await room.post(room.session, 'm-1', 'm-2');
    const putOff = { sessionId: room.session.id, kind: 'wake', attempts: 3 } as const;
    room.store.dueItems.set({ ...putOff, dueAt: room.clock.iso(4_000) });
    await room.look();
    expect(room.wakesIn()).toBe(4_000);
    expect(room.store.dueItems.find(room.session.id, 'wake')?.attempts).toBe(3);
    room.runner.complete('m-1');
    await room.look();
    expect(room.wakesIn()).toBe(0);
    expect(room.store.dueItems.find(room.session.id, 'wake')?.attempts).toBe(0);
  });

  it('settles only what was acked when it began: what is acked meanwhile waits for its replies', async () => {
    await room.post(room.session, 'm-1', 'm-2');
    room.runner.complete('m-1');
    const { acks } = await readFacts(room.mailbox, room.session.id, wholeFile);
    const seen = { acks, open: await room.mailbox.inbound(room.session.id, 'listOpen') };
    room.runner.complete('m-2');
    await room.settlement.settle(room.session, seen);
    expect(room.describe()).toEqual({ 'm-1': 'completed 0', 'm-2': 'pending 0' });
  });

  it('counts what a container was stopped for as a failed try, even where it gave it back', async () => {
    await room.post(room.session, 'm-1', 'm-2', 'm-3');
    room.runner.claim('m-1', 'm-2');
    expect(await new OpenWork(room).listUnderWay(room.session)).toEqual({
      claimed: ['m-1', 'm-2'],
      waiting: ['m-1', 'm-2', 'm-3'],
    });
    room.runner.complete('m-2');
    room.runner.release('m-1');
    await room.look('ended', room.session, new Set(['m-1', 'm-2']));
    expect(room.describe()).toEqual({
      'm-1': 'pending 1 +1000',
      'm-2': 'completed 0',
      'm-3': 'pending 0',
    });
  });

  it('never wakes anybody for context, nor tells of it', async () => {
    await room.postContext(room.session, 'c-1', 'c-2', 'c-3');
    await room.look();
    expect(room.wakesIn()).toBeUndefined();
    room.runner.claim('c-1', 'c-2', 'c-3');
    room.runner.complete('c-1');
    room.runner.fail('c-2', 'no model');
    await room.look('ended');
    expect(room.wakesIn()).toBeUndefined();
    for (const tries of [1, 2]) {
      room.runner.claimTry(tries, 'c-2', 'c-3');
      await room.look('ended');
    }
    expect(room.describe()).toMatchObject({ 'c-1': 'completed 0' });
    expect(room.messagesIn(room.session.id).map(({ status }) => status)).toEqual([
      'completed',
      'failed',
      'failed',
    ]);
    expect(room.notices()).toEqual([]);
    expect(room.settled).toEqual([]);
  });

  it('gives up what waits when nothing can be run, and tells of each message once', async () => {
    await room.post(room.session, 'm-1', 'm-2');
    await room.postContext(room.session, 'c-1');
    await room.settlement.giveUp(room.session, 'this provider may not run here');
    await room.settlement.giveUp(room.session, 'this provider may not run here');
    expect(room.describe()).toMatchObject({ 'm-1': 'failed 0', 'm-2': 'failed 0' });
    expect(room.notices().map(({ in_reply_to: id }) => id)).toEqual(['m-1', 'm-2']);
    expect(room.store.deadLetters.listForSession(room.session.id)).toMatchObject([
      { messageId: 'm-1', reason: 'this provider may not run here' },
      { messageId: 'm-2' },
    ]);
    expect(room.wakesIn()).toBeUndefined();
    expect(room.settled).toEqual([]);
  });

  it('gives up what waits in a session that was closed, once its container has ended', async () => {
    await room.post(room.session, 'answered', 'claimed', 'waiting');
    room.runner.claim('answered', 'claimed');
    room.runner.complete('answered');
    room.store.sessions.setStatus(room.session.id, 'closed', 'by hand');
    await room.look('ended');
    expect(room.describe()).toEqual({
      answered: 'completed 0',
      claimed: 'failed 0',
      waiting: 'failed 0',
    });
    expect(room.notices().map(({ in_reply_to: id }) => id)).toEqual(['claimed', 'waiting']);
    expect(room.wakesIn()).toBeUndefined();
  });

  it('takes the usual limits where the config of the agent group was broken by hand', async () => {
    room.store.agentGroups.update({ ...room.agentGroup, containerConfig: '{"tries":' });
    await room.post(room.session, 'm-1');
    room.runner.claim('m-1');
    await room.look('ended');
    expect(room.describe()).toEqual({ 'm-1': 'pending 1 +5000' });
  });

  it('reports a message for several agents when all of them have dealt with it', async () => {
    const other = room.addSession({ agentGroupId: room.addAgentGroup().id });
    const others = room.runnerOf(other.id);
    await room.post(room.session, 'm-1');
    await room.post(other, 'm-1');
    room.store.received.insert({
      messagingGroupId: room.chat.id,
      platformMessageId: 'p-1',
      messageId: 'm-1',
      verdicts: [room.session, other].map(({ id, agentGroupId }) => ({
        agentGroupId,
        sessionId: id,
        verdict: 'engaged',
      })),
      receivedAt: room.clock.iso(),
    });
    room.runner.complete('m-1');
    await room.look();
    expect(room.settled).toEqual([]);
    others.complete('m-1');
    await room.look('running', other);
    expect(room.settled).toEqual([{ messageId: 'm-1', address, status: 'completed' }]);
  });

  it('does not wait for an agent whose session was quarantined', async () => {
    const other = room.addSession({ agentGroupId: room.addAgentGroup().id });
    await room.post(room.session, 'm-1');
    await room.post(other, 'm-1');
    room.store.received.insert({
      messagingGroupId: room.chat.id,
      platformMessageId: 'p-1',
      messageId: 'm-1',
      verdicts: [room.session, other].map(({ id, agentGroupId }) => ({
        agentGroupId,
        sessionId: id,
        verdict: 'engaged',
      })),
      receivedAt: room.clock.iso(),
    });
    room.store.sessions.setStatus(other.id, 'set-aside', 'damaged');
    room.runner.complete('m-1');
    await room.look();
    expect(room.settled).toMatchObject([{ messageId: 'm-1', status: 'failed' }]);
  });
});
