import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandLine } from '../../../test/fakes/command-line.js';
import { addSession, writeConversation } from '../../../test/fakes/session-files.js';
import type { Explanation } from '../../operations/explanation.js';
import type { Verdict } from '../../store/messages/received-messages.js';

const at = '2026-01-31T12:00:00.000Z';

describe('berth explain', () => {
  let cli: CommandLine;

  beforeEach(() => {
    cli = new CommandLine();
    mkdirSync(cli.home, { recursive: true });
    writeFileSync(join(cli.home, '.env'), 'BERTH_TIME_ZONE=Asia/Tokyo\n');
  });

  afterEach(() => {
    cli[Symbol.dispose]();
  });

  function explain(...args: string[]): Promise<Explanation> {
    return cli.json<Explanation & Record<string, unknown>>('explain', ...args);
  }

  function receive(
    messageId: string,
    verdicts: readonly Verdict[],
    platformMessageId = 'p-1',
  ): void {
    cli.store((store) => {
      const chat = store.messagingGroups.findByPlatform('terminal', 'local');
      const messagingGroupId = chat?.id ?? '';
      store.received.insert({
        ...{ messagingGroupId, platformMessageId, messageId, verdicts },
        receivedAt: at,
      });
    });
  }

  async function lines(...args: string[]): Promise<readonly string[]> {
    cli.columns = 80;
    const { exitCode, stdout, stderr } = await cli.run('explain', ...args);
    expect([exitCode, stderr]).toEqual([0, '']);
    const printed = stdout.trimEnd().split('\n');
    for (const line of printed) expect(line.length, line).toBeLessThanOrEqual(80);
    return printed;
  }

  it('says at 80 columns what a session waits for, in one time zone, and what a person can do', async () => {
    const id = addSession(cli, { createdAt: at });
    writeConversation(cli, id, 2);
    cli.store((store) => {
      const why = 'a message waits';
      store.events.add({ name: 'session.woken', sessionId: id, detail: { why } }, at);
      store.dueItems.set({ sessionId: id, kind: 'wake', dueAt: at, attempts: 0 });
    });
    const printed = await lines(id);
    expect(printed.slice(0, 4)).toEqual([
      `The session ${id} of main in terminal:local`,
      '',
      'Now',
      '  2 messages wait, and no daemon runs.',
    ]);
    expect(printed[4]).toBe('    next  `berth start --detach` starts it.');
    expect(printed).toContain('What happened (Asia/Tokyo)');
    expect(printed.join('\n')).toContain('2026-01-31 21:00  It was woken: a message waits.');
    expect(await explain(id.slice(0, 19))).toMatchObject({
      kind: 'session',
      id,
      timeZone: 'Asia/Tokyo',
      now: [{ what: '2 messages wait, and no daemon runs.', until: null, session: id }],
      happened: expect.arrayContaining([
        { at, what: 'It was woken: a message waits.', until: null },
      ]) as unknown,
    });
  });

  it('says of a message that no agent is wired to its chat, and how to wire one', async () => {
    addSession(cli);
    receive('m-1', []);
    for (const name of ['m-1', 'p-1']) {
      const { kind, now, happened } = await explain(name);
      expect(kind).toBe('message');
      expect(now[0]?.what).toContain('no agent is wired to its chat');
      expect(now[0]?.next).toContain('`berth wirings create terminal:local AGENT-GROUP`');
      expect(happened).toEqual([{ at, what: 'It came from terminal:local.', until: null }]);
    }
    expect((await lines('m-1')).join('\n')).toContain('2026-01-31 21:00  It came from');
  });

  it('says of a message that could not be taken what kept it, though no session has it', async () => {
    addSession(cli);
    cli.store((store) => {
      const of = { sessionId: null, messagingGroupId: 'mg-1', messageId: 'm-lost' };
      const detail = { why: 'it could not be taken: another program holds inbound.db.' };
      store.events.add({ name: 'message.refused', ...of, detail }, at);
    });
    const explanation = await explain('m-lost');
    expect(explanation.title).toBe('The message m-lost of terminal:local');
    expect(explanation.now).toMatchObject([
      { what: expect.stringContaining('another program holds inbound.db.') as string },
    ]);
    const chat = await explain('terminal:local');
    expect(chat.happened[0]?.what).toContain('(m-lost)');
  });

  it('says of a message who took it, who left it, and what it waits for there', async () => {
    const id = addSession(cli);
    writeConversation(cli, id, 2);
    receive('m-1', [
      { agentGroupId: 'ag-1', verdict: 'engaged', sessionId: id },
      { agentGroupId: 'ag-2', verdict: 'refused', reason: 'it was not addressed' },
    ]);
    cli.store((store) => {
      store.dueItems.set({ sessionId: id, kind: 'wake', dueAt: at, attempts: 0 });
    });
    const { now } = await explain('m-1');
    expect(now.map(({ what }) => what)).toEqual([
      '2 messages wait, and no daemon runs.',
      'ag-2 has left it: it was not addressed. It waits for nothing.',
    ]);
  });

  it('says of a message that was given up why, and how to try it again', async () => {
    const sessionId = addSession(cli);
    receive('m-1', [{ agentGroupId: 'ag-1', verdict: 'engaged', sessionId }]);
    cli.store((store) => {
      const letter = { sessionId, direction: 'in', messageId: 'm-1' } as const;
      store.deadLetters.insert({ ...letter, reason: 'no model', createdAt: at });
      const address = { channelType: 'terminal', platformId: 'local', threadId: null };
      const notice = { id: 'n-1', address, inReplyTo: 'm-1', text: 'Sorry.' };
      store.notices.insert(notice, '2026-01-31T12:00:01.000Z');
    });
    const { now, happened } = await explain('m-1');
    expect(now).toMatchObject([
      {
        what: 'It was given up, and main did not answer it: no model.',
        next: '`berth dead-letters retry m-1` tries it again.',
      },
    ]);
    expect(happened.at(-1)?.what).toBe('Its chat is to be told: “Sorry.”');
    expect((await explain('terminal:local')).now.map(({ what }) => what)).toContain(
      'It is still to be told of 1 thing.',
    );
  });

  it('says of a reply that could not be sent when it is sent again', async () => {
    const sessionId = addSession(cli);
    cli.store((store) => {
      const dueAt = '2999-01-31T12:00:00.000Z';
      const retry = { sessionId, messageOutId: 'o-1', attempts: 2, dueAt, reason: 'too fast' };
      store.deliveryRetries.set(retry);
      const detail = { why: 'too fast', attempt: 2, nextAt: dueAt };
      store.events.add({ name: 'reply.retried', sessionId, messageId: 'o-1', detail }, at);
    });
    expect((await explain('o-1')).now).toMatchObject([
      {
        what: 'It could not be sent (2 times): too fast. It is sent again by itself.',
        until: '2999-01-31T12:00:00.000Z',
      },
    ]);
    const printed = (await lines('o-1')).join('\n');
    expect(printed).toContain('until    2999-01-31 21:00 (in ');
    expect(printed).toContain('A reply is sent again (after 2 failures): too fast. Next:');
  });

  it('says of a chat who answers it, and what its sessions wait for', async () => {
    const id = addSession(cli);
    expect((await explain('terminal:local')).now[0]?.what).toContain('No agent is wired to it');
    await cli.run('wirings', 'create', 'terminal:local', 'main');
    receive('m-1', []);
    const { now, happened } = await explain('terminal:local');
    expect(now.map(({ what }) => what)).toEqual([
      'It is answered by main, in 1 session.',
      'Nothing waits in it.',
    ]);
    expect(now[1]?.session).toBe(id);
    expect(happened).toMatchObject([{ what: 'm-1: no agent is wired to this chat.' }]);
  });

  it('says that a session was deleted, for as long as its events are kept', async () => {
    const id = addSession(cli);
    await cli.run('sessions', 'close', id);
    await cli.run('sessions', 'delete', id);
    expect(await explain(id)).toMatchObject({
      now: [{ what: 'It was deleted, with its files, and waits for nothing.' }],
      happened: [
        { what: 'It was ended: closed with `berth sessions close`.' },
        { what: 'It was deleted: somebody has deleted it.' },
      ],
    });
  });

  it('says so where a session’s file cannot be read', async () => {
    const id = addSession(cli);
    const path = join(cli.home, 'data', 'sessions', id, 'in', 'inbound.db');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, 'no database'.repeat(100));
    const { now } = await explain(id);
    expect(now[0]?.what).toMatch(/^Its inbound\.db cannot be read right now: /);
  });

  it('asks which chat is meant where several platforms use one id', async () => {
    addSession(cli);
    cli.store((store) => {
      store.messagingGroups.insert({
        ...{ id: 'mg-2', channelType: 'terminal', platformId: 'two', name: null, isGroup: false },
        ...{ adminUserId: null, timeZone: null, createdAt: at },
      });
      store.received.insert({
        ...{ messagingGroupId: 'mg-2', platformMessageId: 'p-1', messageId: 'm-2' },
        ...{ verdicts: [], receivedAt: at },
      });
    });
    receive('m-1', []);
    const failure = await cli.failure('explain', 'p-1');
    expect(failure.code).toBe('invalid_input');
    expect(failure.message).toContain('m-1 (terminal:local), m-2 (terminal:two)');
    expect(failure.next).toContain('--chat');
    expect((await explain('p-1', '--chat', 'terminal:two')).id).toBe('m-2');
  });

  it('says what to give where nothing is known, also in a home that was never used', async () => {
    const failure = await cli.failure('explain', 'm-unknown');
    expect(failure.code).toBe('not_found');
    expect(failure.next).toContain('berth sessions list');
  });
});

describe('berth sessions events', () => {
  let cli: CommandLine;

  beforeEach(() => {
    cli = new CommandLine();
  });

  afterEach(() => {
    cli[Symbol.dispose]();
  });

  it('prints at 80 columns what happened, and goes on behind the last one that is known', async () => {
    const id = addSession(cli);
    cli.store((store) => {
      const why = 'no agent is wired to this chat, and so on, and so on, and so on, and so on';
      const of = { sessionId: null, messagingGroupId: 'mg-1', messageId: 'm-1' };
      store.events.add({ name: 'message.refused', ...of, detail: { why } }, at);
      store.events.add({ name: 'container.started', sessionId: id, detail: {} }, at);
    });
    await cli.run('sessions', 'close', id);
    cli.columns = 80;
    const all = (await cli.run('sessions', 'events')).stdout;
    for (const line of all.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(all).toMatch(/1 {4}2026-01-31 .* message\.refused {4}m-1/);
    cli.columns = undefined;
    const one = await cli.json<{ seq: number; name: string }[]>('sessions', 'events', id);
    expect(one.map(({ name }) => name)).toEqual(['container.started', 'session.closed']);
    const after = await cli.json<{ seq: number }[]>('sessions', 'events', '--after', '1');
    expect(after.map(({ seq }) => seq)).toEqual([2, 3]);
    const two = await cli.json<{ seq: number }[]>('sessions', 'events', id, '--after', '2');
    expect(two).toMatchObject([
      {
        seq: 3,
        sessionId: id,
        name: 'session.closed',
        detail: { why: 'closed with `berth sessions close`' },
        what: 'It was ended: closed with `berth sessions close`.',
      },
    ]);
    expect((await cli.failure('sessions', 'events', 's-unknown')).code).toBe('not_found');
  });

  it('prints those of a session that was deleted', async () => {
    const id = addSession(cli, { status: 'closed' });
    await cli.run('sessions', 'delete', id);
    expect(await cli.json('sessions', 'events', id)).toMatchObject([{ name: 'session.removed' }]);
  });
});

describe('berth sessions reopen', () => {
  it('takes a closed one into use again, unless its conversation has another', async () => {
    using cli = new CommandLine();
    const id = addSession(cli);
    expect((await cli.failure('sessions', 'reopen', id)).code).toBe('invalid_input');
    await cli.run('sessions', 'close', id);
    const { stdout } = await cli.run('sessions', 'reopen', id);
    expect(stdout).toContain(`The session ${id} is active again.`);
    await cli.run('sessions', 'close', id);
    const other = addSession(cli);
    const failure = await cli.failure('sessions', 'reopen', id);
    expect(failure).toMatchObject({ code: 'in_use' });
    expect(failure.message).toContain(other);
  });
});
