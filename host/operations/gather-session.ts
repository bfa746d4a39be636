/** Reads what there is about a session, from central.db and from its file. */
import { isoAt } from '../../shared/base/clock.js';
import type { Session } from '../store/sessions.js';
import type { DatabaseScope } from './operation.js';
import { chatName } from './references.js';
import type { SessionFacts } from './session-waits.js';

const readMessages = 20;

export function gatherSession(
  scope: DatabaseScope,
  session: Session,
  asked: string | null = null,
): SessionFacts {
  const { store, clock } = scope;
  const { id } = session;
  const letters = store.deadLetters.listForSession(id);
  const count = (way: 'in' | 'out'): number =>
    letters.filter(({ direction }) => direction === way).length;
  const state = store.daemonState.find();
  const problems = [state?.problem, state?.shortage, state?.disk].flatMap((one) => one ?? []);
  const failure = store.events
    .listForSession(id, readMessages)
    .findLast(({ name }) => name === 'container.failed');
  return {
    session,
    now: isoAt(clock.now()),
    isDaemonRunning: scope.isDaemonRunning(),
    daemonProblem: problems.join('; ') || null,
    due: store.dueItems.listForSession(id),
    retries: [...store.deliveryRetries.list(id).values()],
    disabledChannels: store.channels
      .list()
      .filter(({ enabled }) => !enabled)
      .map((one) => one.id),
    awaited: store.awaitedListeners.listForSession(id).map(chatName),
    wantedRepairs: store.repairs.listWanted(id).map(({ file }) => file),
    givenUp: { in: count('in'), out: count('out') },
    tasks: store.tasks.listForSession(id),
    questions: store.questions.listForSession(id).filter(({ claimedBy }) => claimedBy === null),
    inbound: scope.readWaiting(id, { limit: readMessages, asked }),
    startProblem: failure?.detail.why,
  };
}

/** The name that people know a session's agent by. */
export function agentName({ store }: Pick<DatabaseScope, 'store'>, agentGroupId: string): string {
  return store.agentGroups.find(agentGroupId)?.folder ?? agentGroupId;
}
