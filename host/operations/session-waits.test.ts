import { describe, expect, it } from 'vitest';
import type { DueItem, DueKind } from '../store/due-items.js';
import type { Session } from '../store/sessions.js';
import type { Task } from '../store/tasks.js';
import { decideSessionWaits, type SessionFacts } from './session-waits.js';

const now = '2026-01-31T12:00:00.000Z';
const later = '2026-01-31T12:05:00.000Z';

const session: Session = {
  id: 's-1',
  agentGroupId: 'ag-1',
  messagingGroupId: 'mg-1',
  threadId: null,
  provider: null,
  status: 'active',
  statusReason: null,
  containerStatus: 'stopped',
  lastActive: now,
  createdAt: now,
};

const task: Task = {
  id: 't-1',
  sessionId: 's-1',
  messagingGroupId: 'mg-1',
  messageId: 't-1-1',
  dueAt: later,
  recurrence: null,
  timeZone: null,
  text: 'water the plants',
  createdAt: now,
  pausedAt: null,
};

function due(kind: DueKind, dueAt = now, attempts = 0): DueItem {
  return { sessionId: 's-1', kind, dueAt, attempts };
}

function message(fields: { tries?: number; kind?: string; processAfter?: string } = {}) {
  const { tries = 0, kind = 'chat', processAfter = null } = fields;
  return { id: 'm-1', kind, status: 'pending', processAfter, tries } as const;
}

function holding(...waiting: ReturnType<typeof message>[]): SessionFacts['inbound'] {
  return { waiting, count: waiting.length, asked: undefined };
}

function decide(fields: Omit<Partial<SessionFacts>, 'session'> & { session?: Partial<Session> }) {
  const { session: changed = {}, ...rest } = fields;
  return decideSessionWaits({
    now,
    isDaemonRunning: true,
    daemonProblem: null,
    due: [],
    retries: [],
    awaited: [],
    disabledChannels: [],
    wantedRepairs: [],
    givenUp: { in: 0, out: 0 },
    tasks: [],
    questions: [],
    inbound: undefined,
    startProblem: undefined,
    ...rest,
    session: { ...session, ...changed },
  });
}

describe('what a session waits for', () => {
  const cases: readonly (readonly [
    string,
    Parameters<typeof decide>[0],
    what: string,
    next: RegExp | null,
    until?: string,
  ])[] = [
    ['nothing', {}, 'Nothing waits in it.', /next message/],
    [
      'a container, where there is none yet',
      { due: [due('wake')], inbound: holding(message()) },
      '1 message waits for a container: one is started as soon as there is a place.',
      /berth status/,
    ],
    [
      'its container to start',
      {
        due: [due('wake')],
        session: { containerStatus: 'starting' },
        inbound: holding(message(), message()),
      },
      '2 messages wait for a container, which is being started.',
      null,
    ],
    [
      'the agent',
      { due: [due('wake')], session: { containerStatus: 'running' }, inbound: holding(message()) },
      '1 message waits for the agent, whose container runs.',
      /berth logs --session s-1.*berth sessions restart s-1/,
    ],
    [
      'the engine',
      { due: [due('wake')], daemonProblem: 'No engine answers', inbound: holding(message()) },
      '1 message waits for a container, which cannot be started: No engine answers.',
      /Nothing is lost/,
    ],
    [
      'a daemon',
      { due: [due('wake')], isDaemonRunning: false },
      'Messages wait, and no daemon runs.',
      /berth start --detach/,
    ],
    [
      'another start, after some that failed',
      { due: [due('wake', later, 2)], startProblem: 'no image' },
      'Its container could not be started, or ended at once (2 times in a row): no image. It is tried again by itself.',
      /berth logs --session s-1/,
      later,
    ],
    [
      'another try of a message',
      { due: [due('wake', later)], inbound: holding(message({ tries: 1, processAfter: later })) },
      'The message m-1 has failed (1 time), and is tried again by itself.',
      /berth logs/,
      later,
    ],
    [
      'the time of a task',
      {
        due: [due('wake', later)],
        inbound: holding(message({ kind: 'task', processAfter: later })),
      },
      'The next run of a task waits for its time.',
      /berth tasks list/,
      later,
    ],
    [
      'a reply that could not be sent',
      {
        due: [due('deliver', later)],
        retries: [
          {
            sessionId: 's-1',
            messageOutId: 'o-1',
            attempts: 1,
            dueAt: later,
            reason: 'too fast',
            maybeSent: false,
          },
        ],
      },
      'The reply o-1 could not be sent (1 time): too fast. It is sent again by itself.',
      null,
      later,
    ],
    [
      'a reply that is held back',
      { due: [due('deliver', later)] },
      'A reply is held back until its time.',
      null,
      later,
    ],
    [
      'its replies to be read',
      { due: [due('deliver')] },
      'Its files are read, and what the agent has said is sent.',
      null,
    ],
    [
      'somebody who listens',
      { awaited: ['terminal:a b'] },
      'Replies wait until somebody listens on terminal:a b.',
      /`berth chat --chat 'a b'`/,
    ],
    [
      'somebody who listens elsewhere',
      { awaited: ['web:x'] },
      'Replies wait until somebody listens on web:x.',
      null,
    ],
    [
      'a repair',
      { wantedRepairs: ['inbound.db'] },
      'inbound.db must be repaired before it goes on; the daemon does that as soon as its container has ended.',
      null,
    ],
    [
      'a repair, and a daemon to do it',
      { wantedRepairs: ['inbound.db', 'outbound.db'], isDaemonRunning: false },
      'inbound.db and outbound.db must be repaired before it goes on, and no daemon runs.',
      /berth start/,
    ],
    [
      'a person, after messages were given up',
      { givenUp: { in: 2, out: 1 } },
      'Given up: 2 messages without an answer, 1 reply not delivered.',
      /retry --all --session s-1/,
    ],
    ['a task', { tasks: [task] }, 'The task t-1 is planned.', null, later],
    [
      'a person, for a task that is paused',
      { tasks: [{ ...task, pausedAt: now }] },
      'The task t-1 is paused.',
      /berth tasks resume t-1/,
    ],
    [
      'the end of a container with nothing to do',
      { due: [due('idle', later)], session: { containerStatus: 'running' } },
      'Its container runs, and ends when it has had nothing to do for some time.',
      null,
      later,
    ],
    [
      'a conversation',
      { session: { status: 'warm', messagingGroupId: null } },
      'It was made ready before, and waits for a conversation.',
      null,
    ],
    [
      'nothing, closed',
      { session: { status: 'closed', statusReason: 'by hand' } },
      'It has ended: by hand.',
      /berth sessions reopen s-1/,
    ],
    [
      'nothing, quarantined',
      { session: { status: 'set-aside', statusReason: 'bytes flipped' } },
      'It was taken out of use, because its files cannot be used: bytes flipped.',
      /berth sessions path s-1/,
    ],
    [
      'its file to be readable',
      { inbound: { problem: 'inbound.db is damaged' } },
      'Its inbound.db cannot be read right now: inbound.db is damaged.',
      /berth sessions path s-1/,
    ],
  ];

  const named = cases.map(([name, facts, what, next, until = null]) => {
    return { name, facts, what, next, until };
  });

  it.each(named)('is $name', ({ facts, what, next, until }) => {
    const [first] = decide(facts);
    expect(first).toMatchObject({ what, until, session: 's-1' });
    if (next === null) expect(first?.next).toBeNull();
    else expect(first?.next).toMatch(next);
  });

  it('says that a channel is disabled, and how to have it run again', () => {
    const facts = { awaited: ['ops:local'], disabledChannels: ['ops'] };
    expect(decide(facts)).toMatchObject([
      {
        what: 'Replies to ops:local wait: the channel ops is disabled.',
        next: '`berth channels enable ops` has it run again.',
      },
    ]);
  });

  it('says of all that waits that no daemon runs', () => {
    const inbound = holding(message({ tries: 1 }));
    const waits = decide({ isDaemonRunning: false, due: [due('wake', later)], inbound });
    expect(waits.at(-1)).toMatchObject({ what: 'No daemon runs: nothing goes on until one does.' });
  });

  it('tells the questions that wait for an answer, where, and until when', () => {
    const question = {
      ...{
        id: 'q-1',
        sessionId: 's-1',
        messageOutId: 'o-1',
        text: 'Which colour?',
        options: ['red'],
      },
      address: { channelType: 'fake', platformId: 'chat-1', threadId: null },
      ...{ freeText: false, askedUser: null, expiresAt: later, createdAt: now },
    };
    expect(decide({ due: [due('question', later)], questions: [question] })).toMatchObject([
      {
        what: 'Its agent has asked “Which colour?”, and somebody may answer in fake:chat-1; after the time it goes on without.',
        until: later,
      },
    ]);
  });

  it('is told with the most important first', () => {
    const waits = decide({
      session: { status: 'closed', statusReason: 'by hand' },
      due: [due('wake')],
      givenUp: { in: 1, out: 0 },
      isDaemonRunning: false,
    });
    expect(waits.map(({ what }) => what)).toEqual([
      'It has ended: by hand.',
      'What waits in it is given up, and its chat is told, as soon as a daemon runs.',
      'Given up: 1 message without an answer.',
    ]);
  });

  it('is nothing that only the daemon does for itself', () => {
    expect(decide({ due: [due('prune'), due('stuck')] })).toHaveLength(1);
  });
});
