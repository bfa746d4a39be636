import { isoAt, isTimeZone } from '../../../shared/base/clock.js';
import { BerthError } from '../../../shared/base/errors.js';
import {
  assertRecurrence,
  assertTimeZone,
  describeClockChange,
  nextRun,
  parseLocalTime,
} from '../../sessions/tasks/recurrence.js';
import type { MessagingGroup } from '../../store/messaging-groups.js';
import type { Store } from '../../store/store.js';
import type { Task } from '../../store/tasks.js';
import {
  parseGiven,
  usageError,
  WrongValue,
  type AddCommands,
  type CommandContext,
} from '../command/command-context.js';
import { findInstallZone } from '../command/install-time-zone.js';
import { noteUnknownChannel } from './messaging-groups.js';
import {
  chatName,
  getAgentGroup,
  getMessagingGroup,
  getTask,
} from '../../operations/references.js';
import { laterNote, performSoon, type Performed } from '../command/perform.js';
import { readStore } from '../command/store-access.js';
import { formatFields, formatTable } from '../output/table.js';
import { describeAge, describeLocal, describeWait, describeZoned } from '../command/time-words.js';

export const addTaskCommands: AddCommands = (program, act) => {
  const noun = program
    .command('tasks')
    .description('what agents are to do at a time, once or again and again');
  noun
    .command('create')
    .description('plan one; what the agent says to it goes to the chat')
    .requiredOption('--chat <chat>', 'the chat, like terminal:local')
    .option('--agent <agent-group>', 'which agent, where several are wired to the chat')
    .requiredOption('--text <text>', 'what is to be done')
    .option('--at <time>', 'once, like "2026-01-31 09:00"')
    .option('--every <cron>', 'again and again, like "0 9 * * 1-5"')
    .option('--time-zone <zone>', "where these are told; else the chat's, or the install's")
    .action(act(create));
  noun.command('list').description('list them, the next one first').action(act(list));
  noun.command('show <task>').description('show one, with its whole text').action(act(show));
  noun
    .command('cancel <task>')
    .description('end a series, or one that has not begun')
    .action(act(cancel));
  noun
    .command('pause <task>')
    .description('keep one from running until it is resumed')
    .action(act(pause));
  noun
    .command('resume <task>')
    .description('let a paused one run at its next time')
    .action(act(resume));
  noun.command('run <task>').description('run one now, besides what is planned').action(act(run));
};

interface CreateOptions {
  readonly chat: string;
  readonly agent?: string;
  readonly text: string;
  readonly at?: string;
  readonly every?: string;
  readonly timeZone?: string;
}

const longestText = 20_000;

async function create(context: CommandContext, options: CreateOptions): Promise<void> {
  const { newId, output, clock } = context;
  const { chat, agentGroupId } = readStore(context, (store) => {
    const chat = getMessagingGroup(store, options.chat);
    return { chat, agentGroupId: chooseAgent(store, chat, options.agent) };
  });
  // Resolved once and kept with the task: no later change of a setting or a shell makes it mean another time.
  const timeZone = options.timeZone ?? zoneOf(chat, findInstallZone(context).name);
  const text = parseText(options.text);
  const payload = {
    id: newId('t'),
    messagingGroupId: chat.id,
    agentGroupId,
    text,
    scheduledAt: isoAt(parseGiven(() => planFirst(options, timeZone, clock.now()))),
    recurrence: options.every ?? null,
    timeZone,
  };
  const performed = await performSoon(context, 'tasks.create', payload);
  noteUnknownChannel(context, chat);
  const { id, scheduledAt } = payload;
  const state = stateOf(performed);
  const remark = options.at === undefined ? null : describeClockChange(options.at, timeZone);
  if (remark !== null) output.note(remark);
  output.result({ ...payload, remark, ...state }, () => {
    const when = `${describeZoned(scheduledAt, timeZone)}, ${describeWait(scheduledAt, clock.now())}`;
    return `Planned the task ${id}: ${options.every === undefined ? '' : 'first '}at ${when}.${laterNote(performed)}`;
  });
}

/** When it is run first, in epoch milliseconds. */
function planFirst({ at, every }: CreateOptions, zone: string, nowMs: number): number {
  assertTimeZone(zone);
  if ((at === undefined) === (every === undefined)) {
    throw usageError('Say either --at or --every.');
  }
  if (every !== undefined) {
    assertRecurrence(every, zone);
    return nextRun(every, zone, nowMs, nowMs) ?? nowMs;
  }
  const atMs = parseLocalTime(at ?? '', zone);
  if (atMs > nowMs) return atMs;
  throw new BerthError('invalid_input', `${describeZoned(isoAt(atMs), zone)} has passed.`, {
    next: `Name a time to come; there it is ${describeLocal(isoAt(nowMs), zone)} now.`,
  });
}

function chooseAgent(store: Store, chat: MessagingGroup, reference: string | undefined): string {
  const wired = store.wirings.listForMessagingGroup(chat.id).map((wiring) => wiring.agentGroupId);
  const wanted = reference === undefined ? undefined : getAgentGroup(store, reference).id;
  const [first, ...others] = wired.filter((id) => wanted === undefined || id === wanted);
  if (first === undefined) {
    const who = reference ?? 'No agent';
    const is = reference === undefined ? 'is' : 'is not';
    throw new BerthError('invalid_input', `${who} ${is} wired to ${chatName(chat)}.`, {
      next: `Wire an agent with \`berth wirings create ${chatName(chat)} AGENT\`.`,
    });
  }
  if (others.length === 0) return first;
  const folders = wired.map((id) => store.agentGroups.find(id)?.folder ?? id).join(', ');
  throw new BerthError('invalid_input', `Several agents are wired to ${chatName(chat)}.`, {
    next: `Say which one with --agent: ${folders}.`,
  });
}

function parseText(text: string): string {
  const trimmed = text.trim();
  if (trimmed !== '' && trimmed.length <= longestText) return trimmed;
  throw new WrongValue('That cannot be the text of a task.', {
    next: `Write 1 to ${longestText} characters.`,
  });
}

function list(context: CommandContext): void {
  const { clock, output } = context;
  const tasks = readStore(context, (store) => {
    const describe = describer(context, store);
    return store.tasks.list().map(describe);
  });
  output.result(tasks, (width) =>
    formatTable(
      [
        { title: 'id', value: ({ id }) => id, whole: true },
        { title: 'next', value: ({ dueAt, zone }) => describeLocal(dueAt, zone), whole: true },
        {
          title: '',
          value: ({ dueAt, pausedAt }) =>
            pausedAt === null ? describeWait(dueAt, clock.now()) : 'paused',
        },
        { title: 'every', value: ({ recurrence }) => recurrence ?? 'once' },
        { title: 'time zone', value: ({ zone }) => zone },
        {
          title: 'chat and text',
          value: ({ chat, text }) => `${chat ?? '-'}: ${text}`,
          below: true,
        },
      ],
      tasks,
      width,
      'Nothing is planned. Plan something with `berth tasks create`.',
    ),
  );
}

function show(context: CommandContext, reference: string): void {
  const { clock, output } = context;
  const task = readStore(context, (store) => describer(context, store)(getTask(store, reference)));
  output.result(task, (width) =>
    formatFields(
      [
        ['id', task.id],
        [
          'next',
          task.pausedAt === null
            ? `${describeZoned(task.dueAt, task.zone)}, ${describeWait(task.dueAt, clock.now())}`
            : `when it is resumed; paused ${describeAge(task.pausedAt, clock.now())}`,
        ],
        ['every', task.recurrence ?? 'once'],
        ['time zone', task.zone],
        ['chat', task.chat ?? '-'],
        ['session', task.sessionId],
        ['message', task.messageId],
        ['created', task.createdAt],
        ['text', task.text],
      ],
      width,
    ),
  );
}

async function cancel(context: CommandContext, reference: string): Promise<void> {
  const { id } = readStore(context, (store) => getTask(store, reference));
  const performed = await performSoon(context, 'tasks.cancel', { id });
  const runGoesOn = performed.kind === 'done' && performed.result.cancelled === 'series';
  context.output.result({ cancelled: id, runGoesOn, ...stateOf(performed) }, () => {
    const goesOn = runGoesOn ? ' The run that has begun goes on.' : '';
    return `Cancelled the task ${id}.${goesOn}${laterNote(performed)}`;
  });
}

async function pause(context: CommandContext, reference: string): Promise<void> {
  const { id } = readStore(context, (store) => getTask(store, reference));
  const performed = await performSoon(context, 'tasks.pause', { id });
  context.output.result(
    { paused: id, ...stateOf(performed) },
    () =>
      `Paused the task ${id}; \`berth tasks resume ${id}\` lets it go on.${laterNote(performed)}`,
  );
}

async function resume(context: CommandContext, reference: string): Promise<void> {
  const { clock, output } = context;
  const { id, zone } = readStore(context, (store) =>
    describer(context, store)(getTask(store, reference)),
  );
  const performed = await performSoon(context, 'tasks.resume', { id });
  const task = performed.kind === 'done' ? performed.result : undefined;
  const next = task === undefined ? {} : { next: task.dueAt };
  output.result({ resumed: id, ...next, ...stateOf(performed) }, () => {
    const when =
      task === undefined
        ? ''
        : `: next at ${describeZoned(task.dueAt, zone)}, ${describeWait(task.dueAt, clock.now())}`;
    return `Resumed the task ${id}${when}.${laterNote(performed)}`;
  });
}

async function run(context: CommandContext, reference: string): Promise<void> {
  const { clock, output } = context;
  const { id } = readStore(context, (store) => getTask(store, reference));
  const at = isoAt(clock.now());
  const performed = await performSoon(context, 'tasks.run', { id, at });
  const result = performed.kind === 'done' ? performed.result : {};
  output.result(
    { run: id, ...result, ...stateOf(performed) },
    () => `The task ${id} runs now, besides its plan.${laterNote(performed)}`,
  );
}

function stateOf(performed: Performed<unknown>): { readonly waitsForDaemon?: true } {
  return performed.kind === 'later' ? { waitsForDaemon: true } : {};
}

/** The chat's; the install's where it has none, or one that there is not. The daemon reads rows of before in the same way. */
function zoneOf(chat: MessagingGroup | undefined, installZone: string): string {
  const named = chat?.timeZone ?? null;
  return named !== null && isTimeZone(named) ? named : installZone;
}

/** With what people call its chat, and the time zone that it is told in. */
function describer(
  context: CommandContext,
  store: Store,
): (task: Task) => Task & { readonly chat: string | null; readonly zone: string } {
  const chats = new Map(store.messagingGroups.list().map((chat) => [chat.id, chat]));
  const installZone = findInstallZone(context).name;
  return (task) => {
    const own = task.timeZone ?? '';
    const chat = chats.get(task.messagingGroupId ?? '');
    return {
      ...task,
      chat: chat === undefined ? null : chatName(chat),
      zone: isTimeZone(own) ? own : zoneOf(chat, installZone),
    };
  };
}
