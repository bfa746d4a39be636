import { isoAt } from '../../../shared/base/clock.js';
import { Option } from 'commander';
import { join } from 'node:path';
import type { DeadLetter } from '../../store/messages/dead-letters.js';
import { dueKinds, type DueItem } from '../../store/due-items.js';
import type { Repair } from '../../store/repairs.js';
import type { Session, SessionStatus } from '../../store/sessions.js';
import { askerOf } from '../../sessions/agent-conversation.js';
import type { Store } from '../../store/store.js';
import type { Task } from '../../store/tasks.js';
import type { AddCommands, CommandContext } from '../command/command-context.js';
import { parseCount, parseWhole } from '../command/option-values.js';
import { getSession } from '../../operations/references.js';
import { printEvents } from './session-events.js';
import { sessionStatuses } from '../../sessions/session-transitions.js';
import { printMessages } from './session-messages.js';
import { sessionNamer } from './session-names.js';
import { performNow, performSoon } from '../command/perform.js';
import { readStore } from '../command/store-access.js';
import { formatFields, formatSection, formatTable } from '../output/table.js';
import { describeAge, describeWait } from '../command/time-words.js';

/** How many of the newest are shown. */
const shownRepairs = 10;
const shownDeadLetters = 20;

export const addSessionCommands: AddCommands = (program, act) => {
  const noun = program.command('sessions').description('conversations, each with its own files');
  noun
    .command('list')
    .description('list them, the last active first')
    .addOption(new Option('--status <status>', 'only these').choices(sessionStatuses))
    .action(act(list));
  noun
    .command('show <session>')
    .description('show one: what it waits for (due), and what was given up')
    .action(act(show));
  noun
    .command('messages <session>')
    .description('print what was said, from both of its files')
    .addOption(new Option('--limit <n>', 'the newest ones').argParser(parseCount).default(50))
    .action(act(messages));
  noun
    .command('events [session]')
    .description('print what happened to one, or to all and to what belongs to none')
    .addOption(new Option('--limit <n>', 'so many').argParser(parseCount).default(50))
    .addOption(
      new Option('--after <seq>', 'those after that one; else the newest').argParser(parseWhole),
    )
    .action(act(printEvents));
  noun.command('path <session>').description('print where its files lie').action(act(path));
  noun
    .command('restart <session>')
    .description('end its container; what waits is given to a new one')
    .action(act(restart));
  noun
    .command('close <session>')
    .description('end one; the next message begins another, the files stay')
    .action(act(close));
  noun
    .command('reopen <session>')
    .description('take a closed one into use again')
    .action(act(reopen));
  noun
    .command('delete <session>')
    .description('take one that has ended away, with its files, for good')
    .action(act(remove));
};

function list(context: CommandContext, filter: { readonly status?: SessionStatus }): void {
  const { clock, output } = context;
  const rows = readStore(context, (store) => {
    const name = sessionNamer(store);
    return store.sessions.list(filter).map((session) => ({
      ...session,
      ...name(session),
      waiting: isWaiting(store, session, clock.now()),
    }));
  });
  output.result(rows, (width) =>
    formatTable(
      [
        { title: 'id', value: ({ id }) => id, whole: true },
        { title: 'agent', value: ({ agentGroup }) => agentGroup },
        { title: 'chat', value: ({ chat }) => chat ?? '(all)' },
        // The thread of an agent that works for a session is that session, and told with the chat.
        {
          title: 'thread',
          value: (one) => (askerOf(one) === undefined ? (one.threadId ?? '-') : '-'),
        },
        { title: 'status', value: ({ status }) => status },
        { title: 'container', value: describeContainer },
        { title: 'active', value: ({ lastActive }) => describeAge(lastActive, clock.now()) },
      ],
      rows,
      width,
      filter.status === undefined
        ? 'There are no sessions yet. The first message of a chat begins one.'
        : `No session is ${filter.status}.`,
    ),
  );
}

function show(context: CommandContext, reference: string): void {
  const { clock, output } = context;
  const facts = readStore(context, (store) => {
    const session = getSession(store, reference);
    const deadLetters = store.deadLetters.list({ sessionId: session.id });
    return {
      ...session,
      ...sessionNamer(store)(session),
      waiting: isWaiting(store, session, clock.now()),
      path: folderOf(context, session),
      dueItems: store.dueItems.listForSession(session.id),
      tasks: store.tasks.listForSession(session.id),
      deadLetters: deadLetters.slice(0, shownDeadLetters),
      deadLetterCount: deadLetters.length,
      repairs: store.repairs.listForSession(session.id, shownRepairs),
    };
  });
  output.result(facts, (width) => {
    const nowMs = clock.now();
    return [
      formatSession(facts, nowMs, width),
      formatSection('Tasks', formatTasks(facts.tasks, nowMs, width - 2)),
      formatSection('Dead letters', formatLetters(facts, nowMs, width - 2)),
      formatSection('Repairs', formatRepairs(facts.repairs, nowMs, width - 2)),
    ].join('');
  });
}

/** Everything that is shown of one. */
interface SessionFacts extends Session {
  readonly agentGroup: string;
  readonly chat: string | null;
  readonly waiting: boolean;
  readonly path: string;
  readonly dueItems: readonly DueItem[];
  readonly tasks: readonly Task[];
  readonly deadLetters: readonly DeadLetter[];
  readonly deadLetterCount: number;
  readonly repairs: readonly Repair[];
}

function formatSession(facts: SessionFacts, nowMs: number, width: number): string {
  return formatFields(
    [
      ['id', facts.id],
      ['agent', facts.agentGroup],
      ['chat', facts.chat ?? 'all chats of the agent'],
      ['thread', facts.threadId ?? undefined],
      ['status', facts.status],
      ['reason', facts.statusReason ?? undefined],
      ['container', describeContainer(facts)],
      ['last active', describeAge(facts.lastActive, nowMs)],
      ['created', facts.createdAt],
      ['files', facts.path],
      ...facts.dueItems.map(
        ({ kind, dueAt, attempts }) =>
          [
            `due: ${kind}`,
            `${dueAt}${attempts > 0 ? `, failed ${attempts} times` : ''}: ${dueKinds[kind]}`,
          ] as const,
      ),
    ],
    width,
  );
}

function formatLetters(facts: SessionFacts, nowMs: number, width: number): string {
  const letters = formatTable(
    [
      { title: 'given up', value: ({ createdAt }) => describeAge(createdAt, nowMs) },
      { title: 'way', value: ({ direction }) => direction },
      { title: 'message', value: ({ messageId }) => messageId, whole: true },
      { title: 'reason', value: ({ reason }) => reason, below: true },
    ],
    facts.deadLetters,
    width,
    '',
  );
  const older = facts.deadLetterCount - facts.deadLetters.length;
  const others =
    older > 0 ? `\nand ${older} older: berth dead-letters list --session ${facts.id}` : '';
  return letters + others;
}

function formatTasks(tasks: readonly Task[], nowMs: number, width: number): string {
  return formatTable(
    [
      { title: 'planned', value: ({ dueAt }) => describeWait(dueAt, nowMs) },
      { title: 'time zone', value: ({ timeZone }) => timeZone ?? '-' },
      { title: 'every', value: ({ recurrence }) => recurrence ?? 'once' },
      { title: 'task', value: ({ id }) => id, whole: true },
      { title: 'text', value: ({ text }) => text },
    ],
    tasks,
    width,
    '',
  );
}

function formatRepairs(repairs: readonly Repair[], nowMs: number, width: number): string {
  return formatTable(
    [
      { title: 'when', value: ({ createdAt }) => describeAge(createdAt, nowMs) },
      { title: 'file', value: ({ file }) => file },
      { title: 'action', value: ({ action }) => action },
      { title: 'detail', value: ({ detail }) => detail, below: true },
    ],
    repairs,
    width,
    '',
  );
}

function messages(
  context: CommandContext,
  reference: string,
  { limit }: { readonly limit: number },
): void {
  const { session, chat } = readStore(context, (store) => {
    const session = getSession(store, reference);
    return { session, ...sessionNamer(store)(session) };
  });
  printMessages(context, folderOf(context, session), { limit, chat });
}

function path(context: CommandContext, reference: string): void {
  const session = readStore(context, (store) => getSession(store, reference));
  const folder = folderOf(context, session);
  context.output.result({ id: session.id, path: folder }, () => folder);
}

/** The daemon stops its container, gives up what still waits in it, and tells the chat. */
function close(context: CommandContext, reference: string): void {
  const closed = performNow(context, 'sessions.close', { session: reference });
  const { session, wasActive, hadWork, endedTasks } = closed;
  context.output.result(session, () => {
    const waiting = hadWork
      ? ' Messages waited in it; the daemon gives them up and tells the chat.'
      : '';
    const tasks =
      endedTasks > 0
        ? ` ${endedTasks === 1 ? 'A planned task ends' : `${endedTasks} planned tasks end`} with it.`
        : '';
    if (!wasActive) return `The session ${session.id} was ${session.status} already.`;
    return `The session ${session.id} is ${session.status}. The next message begins another.${waiting}${tasks}`;
  });
}

async function restart(context: CommandContext, reference: string): Promise<void> {
  const { id } = readStore(context, (store) => getSession(store, reference));
  const performed = await performSoon(context, 'sessions.restart', { session: id });
  const result = performed.kind === 'done' ? performed.result : { session: id };
  const state = performed.kind === 'later' ? { waitsForDaemon: true } : {};
  context.output.result({ ...result, ...state }, () => {
    if (performed.kind !== 'done') return `No daemon runs now, and no container of ${id} either.`;
    return performed.result.hadContainer
      ? `The container of ${id} ends; what waits is given to a new one.`
      : `The session ${id} has no container now. Its next message starts one.`;
  });
}

function reopen(context: CommandContext, reference: string): void {
  const { session } = performNow(context, 'sessions.reopen', { session: reference });
  context.output.result(
    session,
    () =>
      `The session ${session.id} is ${session.status} again. Its tasks ended when it was closed.`,
  );
}

function remove(context: CommandContext, reference: string): void {
  const result = performNow(context, 'sessions.delete', { session: reference });
  context.output.result(result, () => `Deleted the session ${result.deleted} and its files.`);
}

function folderOf({ config }: CommandContext, session: Session): string {
  return join(config.paths.sessionsDir, session.id);
}

/** It has work to do now, and no container yet. */
function isWaiting(store: Store, session: Session, nowMs: number): boolean {
  if (session.status !== 'active' || session.containerStatus !== 'stopped') return false;
  const wake = store.dueItems.find(session.id, 'wake');
  return wake !== undefined && wake.dueAt <= isoAt(nowMs);
}

function describeContainer({
  containerStatus,
  waiting,
}: Session & { readonly waiting: boolean }): string {
  return waiting ? 'waiting' : containerStatus;
}
