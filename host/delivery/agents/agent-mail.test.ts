import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DeliverySetup } from '../../../test/fakes/delivery-setup.js';
import { setStatus } from '../../../test/fakes/session-rows.js';
import type { FakeRunner } from '../../../test/fakes/fake-runner.js';
import { until } from '../../../test/fakes/waiting.js';
import { inboxDir, outboxRoot } from '../../../shared/protocol/workspace.js';
import { askerOf } from '../../sessions/agent-conversation.js';
import type { AgentGroup } from '../../store/agent-groups.js';
import type { Session } from '../../store/sessions.js';

interface Said {
  readonly id: string;
  readonly text: string;
  readonly from: string | undefined;
  readonly hops: number | undefined;
  readonly replyTo: string | undefined;
  readonly to: string | null;
  readonly attachments: readonly { readonly file: string }[];
}

describe('agents that ask each other', () => {
  let setup: DeliverySetup;
  let helper: AgentGroup;

  beforeEach(() => {
    setup = new DeliverySetup();
    setup.addWiring(setup.chat, setup.agentGroup);
    helper = setup.addAgentGroup({ name: 'Helper', folder: 'helper' });
    befriend(setup.agentGroup, helper, 'helper');
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  function befriend(one: AgentGroup, other: AgentGroup, name: string): void {
    const destination = { name, displayName: null, type: 'agent' } as const;
    const of = { channelType: null, platformId: null, agentGroupId: other.id };
    setup.store.destinations.insert(one.id, { ...destination, ...of }, setup.clock.iso());
  }

  interface Question {
    readonly to?: string;
    readonly inReplyTo?: string | null;
    readonly files?: readonly string[];
  }

  function ask(runner: FakeRunner, id: string, text: string, question: Question = {}): void {
    const { to = 'helper', inReplyTo = 'm-1', files = [] } = question;
    const parameters = { to, text, files };
    runner.sayContent(id, { action: 'send_to_agent', parameters }, { kind: 'system', inReplyTo });
  }

  /** Those that work for other sessions, the first one first. */
  function workers(): readonly Session[] {
    const all = setup.store.sessions.list().filter((one) => askerOf(one) !== undefined);
    return all.toSorted((a, b) => a.id.localeCompare(b.id));
  }

  function received(session: Session): readonly Said[] {
    return setup.inbound(session.id, (db) =>
      db
        .prepare<[], { id: string; content: string; to: string | null }>(
          "SELECT id, content, channel_type || ':' || platform_id AS \"to\" FROM messages_in WHERE kind = 'chat' ORDER BY seq",
        )
        .all()
        .map(({ id, content, to }) => {
          const said = JSON.parse(content) as Said & { sender: { name?: string } };
          const { text, hops, replyTo, attachments, sender } = said;
          return { id, text, from: sender.name, hops, replyTo, to, attachments };
        }),
    );
  }

  function refusals(session = setup.session): readonly string[] {
    return setup.inbound(session.id, (db) =>
      db
        .prepare(
          "SELECT content ->> 'text' FROM messages_in WHERE content ->> 'event' = 'action.failed'",
        )
        .pluck()
        .all(),
    ) as string[];
  }

  it('talk in a session for each that asks, and the answer comes back to it', async () => {
    ask(setup.runner, 'o-1', 'what is new?');
    ask(setup.runner, 'o-2', 'and else?');
    const other = setup.addSession({ threadId: 'other' });
    ask(setup.runnerOf(other.id), 'o-1', 'hello');
    await setup.deliver();
    await setup.deliver(other);
    const [first, second] = workers() as [Session, Session];
    expect(workers()).toHaveLength(2);
    expect([askerOf(first), askerOf(second)]).toEqual([setup.session.id, other.id]);
    expect(received(first).map(({ text }) => text)).toEqual(['what is new?', 'and else?']);
    expect(received(second).map(({ text }) => text)).toEqual(['hello']);
    expect(setup.posted).toContain(first.id);
    expect(setup.store.dueItems.find(first.id, 'wake')).toBeDefined();

    const [question] = received(first);
    expect(question).toMatchObject({ hops: 1, to: `agent:${setup.session.id}` });
    setup.runnerOf(first.id).say('nothing', { inReplyTo: question?.id ?? '' });
    await setup.deliver(first);
    const [answer] = received(setup.session);
    expect(answer).toMatchObject({ text: 'nothing', from: 'Helper', hops: 2, replyTo: 'o-1' });
    expect(answer?.to).toBe(`${setup.chat.channelType}:${setup.chat.platformId}`);
    expect(setup.deliveries(first.id)).toEqual({ nothing: 'delivered' });
    expect(received(other)).toEqual([]);
    expect(setup.texts()).toEqual([]);
  });

  it('receive a message once, also where the daemon dies before it is noted that it was sent', async () => {
    ask(setup.runner, 'o-1', 'hello');
    await setup.deliver();
    setup.inbound(setup.session.id, (db) => db.exec('DELETE FROM delivered'));
    setup.store.transaction(() => setup.store.actionReceipts.prune('9999', 10));
    setup.store.transaction(() => setup.store.agentMessages.prune('9999', 10));
    setup.rebuild();
    await setup.deliver();
    const [worker] = workers() as [Session];
    expect(workers()).toHaveLength(1);
    expect(received(worker)).toHaveLength(1);
    const receipt = setup.store.actionReceipts.findOutcome(setup.session.id, 'o-1');
    expect(receipt).toContain('Sent to helper.');
  });

  it('pass their files on', async () => {
    const outbox = join(outboxRoot(setup.folders.outDir(setup.session.id)), 'o-1');
    mkdirSync(outbox, { recursive: true });
    writeFileSync(join(outbox, 'plan.txt'), 'north, then west');
    ask(setup.runner, 'o-1', 'read this', { files: ['plan.txt'] });
    ask(setup.runner, 'o-2', 'and this', { files: ['../../in/runner.json'] });
    await setup.deliver();
    const [worker] = workers() as [Session];
    const [message, ...others] = received(worker);
    const inbox = inboxDir(setup.folders.inDir(worker.id), message?.id ?? '');
    const file = join(inbox, message?.attachments[0]?.file ?? '');
    expect(readFileSync(file, 'utf8')).toBe('north, then west');
    expect(others).toEqual([]);
    expect(refusals()).toEqual([expect.stringContaining('was not sent')]);
  });

  it.each([
    ['nobody', 'No destination "nobody" is an agent. The agents are: helper.'],
    ['family', 'No destination "family" is an agent. The agents are: helper.'],
  ])('reach only who is a destination: not %s', async (to, expected) => {
    const family = { name: 'family', displayName: null, type: 'channel' } as const;
    const of = { channelType: 'fake', platformId: 'chat-2', agentGroupId: null };
    setup.store.destinations.insert(setup.agentGroup.id, { ...family, ...of }, setup.clock.iso());
    ask(setup.runner, 'o-1', 'hello', { to });
    await setup.deliver();
    expect(refusals()).toEqual([expected]);
    expect(workers()).toEqual([]);
  });

  it('come to an end after eight, whatever a container says that it answers', async () => {
    befriend(helper, helper, 'helper');
    let asking = setup.session;
    let runner = setup.runner;
    for (let hop = 1; hop <= 8; hop += 1) {
      ask(runner, 'o-1', `hop ${hop}`, { inReplyTo: null });
      await setup.deliver(asking);
      const next = workers().find((one) => askerOf(one) === asking.id);
      expect(next, `hop ${hop}`).toBeDefined();
      expect(received(next!)).toMatchObject([{ hops: hop }]);
      asking = next!;
      runner = setup.runnerOf(asking.id);
    }
    ask(runner, 'o-1', 'one more', { inReplyTo: null });
    await setup.deliver(asking);
    expect(refusals(asking)).toEqual([expect.stringContaining('8 agents already')]);
    expect(workers()).toHaveLength(8);
  });

  it('come to an end where two of them answer each other', async () => {
    ask(setup.runner, 'o-1', 'question 1', { inReplyTo: null });
    await setup.deliver();
    const [worker] = workers() as [Session];
    const helping = setup.runnerOf(worker.id);
    for (let round = 1; round <= 4; round += 1) {
      helping.say(`answer ${round}`, { inReplyTo: received(worker).at(-1)?.id ?? '' });
      await setup.deliver(worker);
      const inReplyTo = received(setup.session).at(-1)?.id ?? '';
      ask(setup.runner, `q-${round}`, `question ${round + 1}`, { inReplyTo });
      await setup.deliver();
    }
    expect(received(worker).map(({ hops }) => hops)).toEqual([1, 3, 5, 7]);
    expect(refusals()).toEqual([expect.stringContaining('8 agents already')]);
  });

  it('send thirty messages an hour to one another, and no more', async () => {
    for (let n = 1; n <= 31; n += 1) {
      ask(setup.runner, `o-${n}`, `${n}`, { inReplyTo: `m-${n}` });
    }
    await setup.deliver();
    const [worker] = workers() as [Session];
    expect(received(worker)).toHaveLength(30);
    expect(refusals()).toEqual([expect.stringContaining('30 messages an hour')]);
    const helping = setup.runnerOf(worker.id);
    for (let n = 1; n <= 31; n += 1) helping.say(`answer ${n}`);
    await setup.deliver(worker);
    expect(received(setup.session)).toHaveLength(30);
    expect(setup.outDeadLetters(worker)).toEqual({});
    setup.clock.advance(3_600_001);
    await setup.deliver(worker);
    expect(received(setup.session)).toHaveLength(31);
    ask(setup.runner, 'o-32', 'later', { inReplyTo: 'm-32' });
    await setup.deliver();
    expect(received(worker)).toHaveLength(31);
  });

  it('are told where the conversation that asked has ended', async () => {
    ask(setup.runner, 'o-1', 'hello');
    await setup.deliver();
    const [worker] = workers() as [Session];
    setStatus(setup.store, setup.session.id, 'closed');
    setup.runnerOf(worker.id).say('too late');
    await setup.deliver(worker);
    expect(setup.outDeadLetters(worker)).toEqual({
      'too late': 'the conversation that asked has ended',
    });
  });

  it('write to no session but the one that asked', async () => {
    const other = setup.addSession({ threadId: 'other' });
    setup.runnerOf(other.id);
    ask(setup.runner, 'o-1', 'hello');
    await setup.deliver();
    const [worker] = workers() as [Session];
    const to = { channelType: 'agent', platformId: other.id, threadId: worker.id };
    setup.runnerOf(worker.id).say('psst', { address: to });
    await setup.deliver(worker);
    const back = { channelType: 'agent', platformId: setup.session.id, threadId: worker.id };
    setup.runnerOf(other.id).say('pssst', { address: back });
    await setup.deliver(other);
    expect(received(other)).toEqual([]);
    expect(received(setup.session)).toEqual([]);
    expect(Object.keys(setup.outDeadLetters(worker))).toEqual(['psst']);
    expect(Object.keys(setup.outDeadLetters(other))).toEqual(['pssst']);
  });

  it('wait where the files of the other one are damaged, and hold up nothing else', async () => {
    ask(setup.runner, 'o-1', 'hello');
    await setup.deliver();
    const [worker] = workers() as [Session];
    const path = join(setup.folders.inDir(worker.id), 'inbound.db');
    const whole = readFileSync(path);
    writeFileSync(path, 'x'.repeat(8_192));
    ask(setup.runner, 'o-2', 'again');
    ask(setup.runner, 'o-3', 'and again');
    setup.runner.say('to the chat');
    await setup.deliver();
    expect(setup.texts()).toEqual(['to the chat']);
    expect(setup.deliveries(setup.session.id)).not.toHaveProperty('o-2');
    expect(setup.deliversIn()).toBe(2_000);
    expect(setup.damaged).not.toContain(setup.session.id);
    writeFileSync(path, whole);
    await setup.delivery.loop.finish(worker.id, new Set());
    await until(async () => {
      await setup.deliver();
      expect(Object.keys(setup.deliveries(setup.session.id))).toContain('o-3');
    });
    expect(received(worker).map(({ text }) => text)).toEqual(['hello', 'again', 'and again']);
  });
});
