/** Decides what a session waits for, and what a person can do about it. Pure. */
import { shellWord } from '../../shared/base/shell-words.js';
import type { WaitingMessages } from '../../shared/protocol/mailbox/waiting-reader.js';
import type { DeliveryRetry } from '../store/messages/delivery-retries.js';
import type { DueItem, DueKind } from '../store/due-items.js';
import { quoteQuestion } from '../sessions/question-ends.js';
import type { Question } from '../store/messages/questions.js';
import type { Session, SessionStatus } from '../store/sessions.js';
import type { Task } from '../store/tasks.js';
import { chatName } from './references.js';
import { countOf, endSentence, waitFor, type Wait } from './explanation.js';

export interface SessionFacts {
  readonly session: Session;
  /** ISO-8601. */
  readonly now: string;
  readonly isDaemonRunning: boolean;
  /** A sentence where the daemon says that it cannot do its work. */
  readonly daemonProblem: string | null;
  readonly due: readonly DueItem[];
  readonly retries: readonly DeliveryRetry[];
  /** Chats, as `channel:id`, that replies wait for because nobody listens there. */
  readonly awaited: readonly string[];
  /** By id. */
  readonly disabledChannels: readonly string[];
  /** The files that are to be repaired. */
  readonly wantedRepairs: readonly string[];
  /** How many messages were not answered, and replies not delivered. */
  readonly givenUp: { readonly in: number; readonly out: number };
  readonly tasks: readonly Task[];
  /** Those that wait for an answer. */
  readonly questions: readonly Question[];
  /** The messages that wait, as its file has them; undefined: it has none. */
  readonly inbound: WaitingMessages | { readonly problem: string } | undefined;
  /** Why its container could not be started last. */
  readonly startProblem: string | undefined;
}

const shownRetries = 3;
const shownTasks = 3;

/** There always is one. */
export function decideSessionWaits(facts: SessionFacts): readonly Wait[] {
  const { session, due } = facts;
  const waits = [
    ...waitsOfStatus[session.status](facts),
    ...waitsOfRepairs(facts),
    ...due.flatMap((item) => waitsOfDue[item.kind](item, facts)),
    ...waitsOfListeners(facts),
    ...waitsOfFile(facts),
    ...waitsOfDeadLetters(facts),
    ...waitsOfTasks(facts),
  ];
  const isSaid = waits.some(({ what }) => what.includes('daemon runs'));
  if (!facts.isDaemonRunning && waits.length > 0 && !isSaid && session.status === 'active') {
    waits.push(waitFor('No daemon runs: nothing goes on until one does.', { next: startDaemon }));
  }
  const idle = waitFor('Nothing waits in it.', { next: 'The next message of its chat wakes it.' });
  return (waits.length === 0 ? [idle] : waits).map((one) => ({ ...one, session: session.id }));
}

/** The part of it that keeps what was said from its chats. There may be none. */
export function decideReplyWaits(facts: SessionFacts): readonly Wait[] {
  const replies = facts.due.filter(({ kind }) => kind === 'deliver');
  const waits = [
    ...replies.flatMap((item) => waitsOfReplies(item, facts)),
    ...waitsOfListeners(facts),
  ];
  return waits.map((one) => ({ ...one, session: facts.session.id }));
}

/** A new status does not compile until it is said here what it means. */
const waitsOfStatus: Readonly<Record<SessionStatus, (facts: SessionFacts) => readonly Wait[]>> = {
  active: () => [],
  warm: () => [waitFor('It was made ready before, and waits for a conversation.')],
  closed: ({ session }) => [
    waitFor(`It has ended${because(session.statusReason)}`, {
      next: `The next message of its chat begins another conversation. \`berth sessions reopen ${session.id}\` takes this one into use again.`,
    }),
  ],
  'set-aside': ({ session }) => [
    waitFor(
      `It was taken out of use, because its files cannot be used${because(session.statusReason)}`,
      {
        next: `The next message of its chat begins another conversation. \`berth sessions path ${session.id}\` says where the files lie.`,
      },
    ),
  ],
};

/** A new kind of due work does not compile until it is said here what it is waited for. */
const waitsOfDue: Readonly<
  Record<DueKind, (item: DueItem, facts: SessionFacts) => readonly Wait[]>
> = {
  wake: waitsOfMessages,
  deliver: waitsOfReplies,
  idle: ({ dueAt }, { session, due, isDaemonRunning }) =>
    isDaemonRunning &&
    session.containerStatus === 'running' &&
    !due.some(({ kind }) => kind === 'wake')
      ? [
          waitFor('Its container runs, and ends when it has had nothing to do for some time.', {
            until: dueAt,
          }),
        ]
      : [],
  // The planner checks for a sign of life while messages wait, and those are told of.
  stuck: () => [],
  prune: () => [],
  question: waitsOfQuestions,
};

function waitsOfQuestions(_: DueItem, { questions }: SessionFacts): readonly Wait[] {
  return questions.map(({ text, address, askedUser, expiresAt }) => {
    const who = askedUser ?? 'somebody';
    const what = `Its agent has asked ${quoteQuestion(text)}, and ${who} may answer in ${chatName(address)}; after the time it goes on without.`;
    return waitFor(what, { until: expiresAt });
  });
}

function because(reason: string | null): string {
  return reason === null ? '.' : endSentence(`: ${reason}`);
}

function waitsOfRepairs({ wantedRepairs, isDaemonRunning }: SessionFacts): readonly Wait[] {
  if (wantedRepairs.length === 0) return [];
  const what = `${wantedRepairs.join(' and ')} must be repaired before it goes on`;
  return isDaemonRunning
    ? [waitFor(`${what}; the daemon does that as soon as its container has ended.`)]
    : [waitFor(`${what}, and no daemon runs.`, { next: startDaemon })];
}

const startDaemon = '`berth start --detach` starts it.';

function waitsOfMessages(wake: DueItem, facts: SessionFacts): readonly Wait[] {
  const { session, now, isDaemonRunning } = facts;
  if (session.status === 'warm') return [waitOfStart(wake, facts)];
  if (session.status !== 'active') {
    const what = 'What waits in it is given up, and its chat is told';
    return isDaemonRunning
      ? [waitFor(`${what}.`)]
      : [waitFor(`${what}, as soon as a daemon runs.`, { next: startDaemon })];
  }
  if (wake.dueAt > now) {
    return [wake.attempts > 0 ? waitOfStart(wake, facts) : waitOfTime(wake, facts)];
  }
  const who = describeWaiting(facts);
  if (!isDaemonRunning) return [waitFor(`${who}, and no daemon runs.`, { next: startDaemon })];
  return [waitOfContainer(who, facts)];
}

function waitOfStart({ dueAt, attempts }: DueItem, { session, startProblem }: SessionFacts): Wait {
  const why = startProblem === undefined ? '.' : endSentence(`: ${startProblem}`);
  const what = `Its container could not be started, or ended at once (${countOf(attempts, 'time')} in a row)${why} It is tried again by itself.`;
  const next = `See \`berth status\` and \`berth logs --session ${session.id}\`.`;
  return waitFor(what, { until: dueAt, next });
}

function waitOfTime({ dueAt }: DueItem, { session, inbound }: SessionFacts): Wait {
  const first = inbound !== undefined && 'waiting' in inbound ? inbound.waiting[0] : undefined;
  if (first !== undefined && first.tries > 0) {
    const what = `The message ${first.id} has failed (${countOf(first.tries, 'time')}), and is tried again by itself.`;
    return waitFor(what, { until: dueAt, next: `See \`berth logs --session ${session.id}\`.` });
  }
  if (first?.kind === 'task') {
    const next = '`berth tasks list` shows what is planned.';
    return waitFor('The next run of a task waits for its time.', { until: dueAt, next });
  }
  return waitFor('What waits in it is not due yet.', { until: dueAt });
}

function waitOfContainer(who: string, { session, daemonProblem }: SessionFacts): Wait {
  const { id } = session;
  switch (session.containerStatus) {
    case 'running':
      return waitFor(`${who} for the agent, whose container runs.`, {
        next: `\`berth logs --session ${id}\` shows what the agent does; \`berth sessions restart ${id}\` gives it to a new container.`,
      });
    case 'starting':
      return waitFor(`${who} for a container, which is being started.`);
    case 'stopped':
      return daemonProblem === null
        ? waitFor(`${who} for a container: one is started as soon as there is a place.`, {
            next: '`berth status` says how many run, and how many may.',
          })
        : waitFor(
            `${who} for a container, which cannot be started: ${endSentence(daemonProblem)}`,
            {
              next: 'See `berth status`. Nothing is lost: it goes on by itself.',
            },
          );
  }
}

/** `2 messages wait` */
function describeWaiting({ inbound, now }: SessionFacts): string {
  if (inbound === undefined || 'problem' in inbound) return 'Messages wait';
  const { waiting, count } = inbound;
  const later = waiting.filter(({ processAfter }) => (processAfter ?? '') > now).length;
  const dueCount = count - later;
  if (dueCount <= 0) return 'Messages wait';
  return `${countOf(dueCount, 'message')} ${dueCount === 1 ? 'waits' : 'wait'}`;
}

function waitsOfReplies({ dueAt }: DueItem, facts: SessionFacts): readonly Wait[] {
  const { retries, now, isDaemonRunning } = facts;
  if (!isDaemonRunning) {
    return [waitFor('Replies may wait to be sent, and no daemon runs.', { next: startDaemon })];
  }
  const failed = retries.filter(({ attempts }) => attempts > 0);
  if (failed.length > 0) return failed.slice(0, shownRetries).map(waitOfRetry);
  if (dueAt <= now) return [waitFor('Its files are read, and what the agent has said is sent.')];
  return [waitFor('A reply is held back until its time.', { until: dueAt })];
}

function waitOfRetry({ messageOutId, attempts, dueAt, reason }: DeliveryRetry): Wait {
  const what = `The reply ${messageOutId} could not be sent (${countOf(attempts, 'time')}): ${endSentence(reason)} It is sent again by itself.`;
  return waitFor(what, { until: dueAt });
}

function waitsOfListeners({ awaited, disabledChannels }: SessionFacts): readonly Wait[] {
  return awaited.map((chat) => {
    const channel = chat.slice(0, chat.indexOf(':'));
    if (disabledChannels.includes(channel)) {
      const next = `\`berth channels enable ${channel}\` has it run again.`;
      return waitFor(`Replies to ${chat} wait: the channel ${channel} is disabled.`, { next });
    }
    const [, id] = /^terminal:(.*)$/su.exec(chat) ?? [];
    const next =
      id === undefined ? {} : { next: `\`berth chat --chat ${shellWord(id)}\` listens there.` };
    return waitFor(`Replies wait until somebody listens on ${chat}.`, next);
  });
}

function waitsOfFile({ inbound, session }: SessionFacts): readonly Wait[] {
  if (inbound === undefined || !('problem' in inbound)) return [];
  return [
    waitFor(`Its inbound.db cannot be read right now: ${endSentence(inbound.problem)}`, {
      next: `Try again; \`berth sessions path ${session.id}\` says where it lies.`,
    }),
  ];
}

function waitsOfDeadLetters({ givenUp, session }: SessionFacts): readonly Wait[] {
  const parts = [
    ...(givenUp.in > 0 ? [`${countOf(givenUp.in, 'message')} without an answer`] : []),
    ...(givenUp.out > 0
      ? [`${countOf(givenUp.out, 'reply').replace('replys', 'replies')} not delivered`]
      : []),
  ];
  if (parts.length === 0) return [];
  return [
    waitFor(`Given up: ${parts.join(', ')}.`, {
      next: `\`berth dead-letters list --session ${session.id}\` says why, and \`berth dead-letters retry --all --session ${session.id}\` tries them again.`,
    }),
  ];
}

function waitsOfTasks({ tasks }: SessionFacts): readonly Wait[] {
  return tasks.slice(0, shownTasks).map(({ id, pausedAt, dueAt }) =>
    pausedAt === null
      ? waitFor(`The task ${id} is planned.`, { until: dueAt })
      : waitFor(`The task ${id} is paused.`, {
          next: `\`berth tasks resume ${id}\` lets it run.`,
        }),
  );
}
