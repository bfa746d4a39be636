import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readFacts } from '../pass/facts.js';
import { OpenWork } from '../mailbox/open-work.js';
import { SettlingSetup } from '../../../test/fakes/settling-setup.js';
import { setStatus } from '../../../test/fakes/session-rows.js';

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
    using setup = new SettlingSetup();
    await setup.post(setup.session, 'm-1');
    setup.inbound(setup.session.id, (db) =>
      db.prepare('UPDATE messages_in SET tries = ?').run(tries),
    );
    if (ack !== 'none') setup.runner.claimTry(tries, 'm-1');
    if (ack === 'completed') setup.runner.complete('m-1');
    if (ack === 'failed') setup.runner.fail('m-1', 'no model', tries);
    await setup.pass(ended);
    expect(setup.describe()).toEqual({ 'm-1': after });
    const isOpen = after.startsWith('pending');
    expect(setup.wakesIn()).toBe(isOpen ? Number(/\+(\d+)/.exec(after)?.[1] ?? 0) : undefined);
    expect(setup.settled).toEqual(
      after.startsWith('completed') ? [{ messageId: 'm-1', address, status: 'completed' }] : [],
    );
    expect(setup.notices()).toHaveLength(after.startsWith('failed') ? 1 : 0);
    // A second pass sees the same acks, and has nothing left to do.
    await setup.pass();
    expect(setup.describe()).toEqual({ 'm-1': after });
  });
});

describe('settlement', () => {
  let setup: SettlingSetup;

  beforeEach(() => {
    setup = new SettlingSetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  it('gives up after the last try: a dead letter with the runner’s reason, and one word in the chat', async () => {
    await setup.post(setup.session, 'm-1');
    for (const tries of [0, 1, 2]) {
      setup.runner.claimTry(tries, 'm-1');
      setup.runner.fail('m-1', `no model (${tries})`, tries);
      await setup.pass();
      await setup.pass('ended');
    }
    expect(setup.describe()).toMatchObject({ 'm-1': expect.stringMatching(/^failed 2/) as string });
    expect(setup.store.deadLetters.listForSession(setup.session.id)).toMatchObject([
      { direction: 'in', messageId: 'm-1', reason: 'no model (2)' },
    ]);
    expect(setup.notices()).toMatchObject([{ in_reply_to: 'm-1', status: 'pending' }]);
    expect(setup.settled).toEqual([]);
    expect(setup.wakesIn()).toBeUndefined();
  });

  it('counts a failure once, however many passes there are, also after a restart', async () => {
    await setup.post(setup.session, 'm-1');
    setup.runner.claim('m-1');
    setup.runner.fail('m-1', 'no model');
    await setup.pass();
    for (let again = 0; again < 5; again += 1) {
      setup.restart();
      await setup.pass('ended');
    }
    expect(setup.describe()).toEqual({ 'm-1': 'pending 1 +1000' });
    expect(setup.wakesIn()).toBe(1_000);
  });

  it('counts a claim that a crash ended once, until the next try claims it', async () => {
    await setup.post(setup.session, 'm-1');
    setup.runner.claim('m-1');
    await setup.pass('ended');
    await setup.pass('ended');
    expect(setup.describe()).toEqual({ 'm-1': 'pending 1 +1000' });
    setup.runner.claimTry(1, 'm-1');
    await setup.pass();
    expect(setup.describe()).toEqual({ 'm-1': 'pending 1 +1000' });
    await setup.pass('ended');
    expect(setup.describe()).toEqual({ 'm-1': 'pending 2 +2000' });
  });

  it('settles what succeeds after a failure', async () => {
    await setup.post(setup.session, 'm-1');
    setup.runner.claim('m-1');
    setup.runner.fail('m-1', 'no model');
    await setup.pass();
    setup.clock.advance(1_000);
    setup.runner.claimTry(1, 'm-1');
    setup.runner.complete('m-1');
    await setup.pass();
    expect(setup.describe()).toEqual({ 'm-1': 'completed 1 +0' });
    expect(setup.wakesIn()).toBeUndefined();
  });

  it('wakes the session for its earliest open message', async () => {
    await setup.post(setup.session, 'now', 'soon', 'later');
    setup.inbound(setup.session.id, (db) => {
      const put = db.prepare('UPDATE messages_in SET process_after = ? WHERE id = ?');
      put.run(setup.clock.iso(7_000), 'soon');
      put.run(setup.clock.iso(9_000), 'later');
    });
    await setup.pass();
    expect(setup.wakesIn()).toBe(0);
    setup.runner.complete('now');
    await setup.pass();
    expect(setup.wakesIn()).toBe(7_000);
    setup.runner.complete('soon', 'later');
    await setup.pass();
    expect(setup.wakesIn()).toBeUndefined();
  });

  it('leaves a start that is put off to its own time, until something succeeds', async () => {
    await setup.post(setup.session, 'm-1', 'm-2');
    const putOff = { sessionId: setup.session.id, kind: 'wake', attempts: 3 } as const;
    setup.store.dueItems.set({ ...putOff, dueAt: setup.clock.iso(4_000) });
    await setup.pass();
    expect(setup.wakesIn()).toBe(4_000);
    expect(setup.store.dueItems.find(setup.session.id, 'wake')?.attempts).toBe(3);
    setup.runner.complete('m-1');
    await setup.pass();
    expect(setup.wakesIn()).toBe(0);
    expect(setup.store.dueItems.find(setup.session.id, 'wake')?.attempts).toBe(0);
  });

  it('settles only what was acked when it began: what is acked meanwhile waits for its replies', async () => {
    await setup.post(setup.session, 'm-1', 'm-2');
    setup.runner.complete('m-1');
    const { acks } = await readFacts(setup.mailbox, setup.session.id, wholeFile);
    const seen = { acks, open: await setup.mailbox.inbound(setup.session.id, 'listOpen') };
    setup.runner.complete('m-2');
    await setup.settlement.settle(setup.session, seen);
    expect(setup.describe()).toEqual({ 'm-1': 'completed 0', 'm-2': 'pending 0' });
  });

  it('counts what a container was stopped for as a failed try, even where it gave it back', async () => {
    await setup.post(setup.session, 'm-1', 'm-2', 'm-3');
    setup.runner.claim('m-1', 'm-2');
    expect(await new OpenWork(setup).listUnderWay(setup.session)).toEqual({
      claimed: ['m-1', 'm-2'],
      waiting: ['m-1', 'm-2', 'm-3'],
    });
    setup.runner.complete('m-2');
    setup.runner.release('m-1');
    await setup.pass('ended', setup.session, new Set(['m-1', 'm-2']));
    expect(setup.describe()).toEqual({
      'm-1': 'pending 1 +1000',
      'm-2': 'completed 0',
      'm-3': 'pending 0',
    });
  });

  it('never wakes anybody for context, nor tells of it', async () => {
    await setup.postContext(setup.session, 'c-1', 'c-2', 'c-3');
    await setup.pass();
    expect(setup.wakesIn()).toBeUndefined();
    setup.runner.claim('c-1', 'c-2', 'c-3');
    setup.runner.complete('c-1');
    setup.runner.fail('c-2', 'no model');
    await setup.pass('ended');
    expect(setup.wakesIn()).toBeUndefined();
    for (const tries of [1, 2]) {
      setup.runner.claimTry(tries, 'c-2', 'c-3');
      await setup.pass('ended');
    }
    expect(setup.describe()).toMatchObject({ 'c-1': 'completed 0' });
    expect(setup.messagesIn(setup.session.id).map(({ status }) => status)).toEqual([
      'completed',
      'failed',
      'failed',
    ]);
    expect(setup.notices()).toEqual([]);
    expect(setup.settled).toEqual([]);
  });

  it('gives up what waits when nothing can be run, and tells of each message once', async () => {
    await setup.post(setup.session, 'm-1', 'm-2');
    await setup.postContext(setup.session, 'c-1');
    await setup.settlement.giveUp(setup.session, 'this provider may not run here');
    await setup.settlement.giveUp(setup.session, 'this provider may not run here');
    expect(setup.describe()).toMatchObject({ 'm-1': 'failed 0', 'm-2': 'failed 0' });
    expect(setup.notices().map(({ in_reply_to: id }) => id)).toEqual(['m-1', 'm-2']);
    expect(setup.store.deadLetters.listForSession(setup.session.id)).toMatchObject([
      { messageId: 'm-1', reason: 'this provider may not run here' },
      { messageId: 'm-2' },
    ]);
    expect(setup.wakesIn()).toBeUndefined();
    expect(setup.settled).toEqual([]);
  });

  it('gives up what waits in a session that was closed, once its container has ended', async () => {
    await setup.post(setup.session, 'answered', 'claimed', 'waiting');
    setup.runner.claim('answered', 'claimed');
    setup.runner.complete('answered');
    setStatus(setup.store, setup.session.id, 'closed', 'by hand');
    await setup.pass('ended');
    expect(setup.describe()).toEqual({
      answered: 'completed 0',
      claimed: 'failed 0',
      waiting: 'failed 0',
    });
    expect(setup.notices().map(({ in_reply_to: id }) => id)).toEqual(['claimed', 'waiting']);
    expect(setup.wakesIn()).toBeUndefined();
  });

  it('takes the usual limits where the config of the agent group was broken by hand', async () => {
    setup.store.agentGroups.update({ ...setup.agentGroup, containerConfig: '{"tries":' });
    await setup.post(setup.session, 'm-1');
    setup.runner.claim('m-1');
    await setup.pass('ended');
    expect(setup.describe()).toEqual({ 'm-1': 'pending 1 +5000' });
  });

  it('reports a message for several agents when all of them have dealt with it', async () => {
    const other = setup.addSession({ agentGroupId: setup.addAgentGroup().id });
    const others = setup.runnerOf(other.id);
    await setup.post(setup.session, 'm-1');
    await setup.post(other, 'm-1');
    setup.store.received.insert({
      messagingGroupId: setup.chat.id,
      platformMessageId: 'p-1',
      messageId: 'm-1',
      verdicts: [setup.session, other].map(({ id, agentGroupId }) => ({
        agentGroupId,
        sessionId: id,
        verdict: 'engaged',
      })),
      receivedAt: setup.clock.iso(),
    });
    setup.runner.complete('m-1');
    await setup.pass();
    expect(setup.settled).toEqual([]);
    others.complete('m-1');
    await setup.pass('running', other);
    expect(setup.settled).toEqual([{ messageId: 'm-1', address, status: 'completed' }]);
  });

  it('does not wait for an agent whose session was quarantined', async () => {
    const other = setup.addSession({ agentGroupId: setup.addAgentGroup().id });
    await setup.post(setup.session, 'm-1');
    await setup.post(other, 'm-1');
    setup.store.received.insert({
      messagingGroupId: setup.chat.id,
      platformMessageId: 'p-1',
      messageId: 'm-1',
      verdicts: [setup.session, other].map(({ id, agentGroupId }) => ({
        agentGroupId,
        sessionId: id,
        verdict: 'engaged',
      })),
      receivedAt: setup.clock.iso(),
    });
    setStatus(setup.store, other.id, 'set-aside', 'damaged');
    setup.runner.complete('m-1');
    await setup.pass();
    expect(setup.settled).toMatchObject([{ messageId: 'm-1', status: 'failed' }]);
  });
});
