/** Does what an agent asks for, once, and gives the answer back as a messages_in row of kind system. */
import { isoAt } from '../../../shared/base/clock.js';
import { cutText } from '../../../shared/base/cut-text.js';
import { BerthError, hasCode, toBerthError } from '../../../shared/base/errors.js';
import type { Logger } from '../../../shared/base/logger.js';
import type { OutboundRow } from '../../../shared/protocol/mailbox/outbound-reader.js';
import { describeIssues } from '../../../shared/protocol/plain-words.js';
import type { Address, SystemOut } from '../../../shared/protocol/session-message.js';
import type { Mailbox } from '../../sessions/mailbox/mailbox.js';
import { messageRow } from '../../sessions/mailbox/message-row.js';
import type { Nudges } from '../../sessions/nudges.js';
import type { SessionRegistry } from '../../sessions/session-registry.js';
import type { Session } from '../../store/sessions.js';
import type { Action, ActionOutcome, ActionScope } from './action.js';
import { actions, exampleOf, findAction } from './builtin-actions.js';

export interface ActionHandlerDeps extends ActionScope {
  readonly mailbox: Mailbox;
  readonly sessions: SessionRegistry;
  readonly log: Logger;
  readonly nudges: Pick<Nudges, 'container'>;
}

/** An action that an agent has asked for. */
export interface RequestedAction {
  readonly row: OutboundRow;
  readonly system: SystemOut;
  /** The chat that the row goes to; undefined where the agent may not write there. */
  readonly address: Address | undefined;
}

/** While one message is answered. */
const mostActions = 20;
/** Of a session within an hour, whatever they claim to answer. */
const mostPerHour = 1_000;
const hourMs = 3_600_000;
/** In characters: a container may name an action, and write into its parameters, whatever it likes. */
const longestName = 100;
const longestReason = 500;

/** No answer is written: an agent that asks without end fills no disk. */
const unanswered: ActionOutcome = { isDone: false, text: 'it asks for too much' };

export class ActionHandler {
  readonly #deps: ActionHandlerDeps;
  /** When the flood of a session was logged last. */
  readonly #floods = new Map<string, number>();

  constructor(deps: ActionHandlerDeps) {
    this.#deps = deps;
  }

  /**
   * The answer is in inbound.db when this resolves; undefined where it cannot be done now, because the session of
   * another agent is busy. Throws what the session's own databases throw. In both cases it is to be asked again.
   */
  async handle(session: Session, requested: RequestedAction): Promise<ActionOutcome | undefined> {
    const { log } = this.#deps;
    const { row } = requested;
    const system = { ...requested.system, action: cutText(requested.system.action, longestName) };
    const action = findAction(system.action);
    const outcome =
      this.#recall(session, row) ?? (await this.#run(session, { ...requested, system }, action));
    if (outcome === 'busy') return undefined;
    if (outcome === unanswered) {
      log.debug({ sessionId: session.id, messageId: row.id }, 'action not answered');
      return outcome;
    }
    const { isDone, text } = outcome;
    const facts = { sessionId: session.id, messageId: row.id, action: system.action };
    if (isDone) log.info(facts, 'action done');
    else log.warn({ ...facts, reason: text }, 'action refused');
    await this.#answer(
      session,
      { ...requested, system },
      outcome,
      action?.isQuestion === true || !isDone,
    );
    return outcome;
  }

  /** Once an hour: a flood must not fill the log. */
  #noteFlood({ id }: Session): void {
    const { clock, log } = this.#deps;
    if ((this.#floods.get(id) ?? 0) > clock.now() - hourMs) return;
    this.#floods.set(id, clock.now());
    log.warn({ sessionId: id, mostPerHour }, 'agent asks for too many actions, the rest fails');
  }

  #recall(session: Session, row: OutboundRow): ActionOutcome | undefined {
    const noted = this.#deps.store.actionReceipts.findOutcome(session.id, row.id);
    const outcome = noted === undefined ? null : (JSON.parse(noted) as ActionOutcome | null);
    return outcome ?? undefined;
  }

  async #run(
    session: Session,
    { row, system, address }: RequestedAction,
    action: Action | undefined,
  ): Promise<ActionOutcome | 'busy'> {
    const { store, clock } = this.#deps;
    const note = (outcome: ActionOutcome): void => {
      store.actionReceipts.insert({
        sessionId: session.id,
        messageOutId: row.id,
        inReplyTo: row.inReplyTo,
        action: system.action,
        // The answer to a question is found anew: a receipt of each would fill the table.
        outcome: JSON.stringify(action?.isQuestion === true && outcome.isDone ? null : outcome),
        createdAt: isoAt(clock.now()),
      });
    };
    const asked = store.actionReceipts.countForMessage(session.id, row.inReplyTo);
    const lately = store.actionReceipts.countSince(session.id, isoAt(clock.now() - hourMs));
    if (lately >= mostPerHour) this.#noteFlood(session);
    if (asked > mostActions || lately >= mostPerHour) return unanswered;
    try {
      if (session.status !== 'active') throw hasEnded();
      if (action === undefined) throw unknownAction(system.action);
      if (asked === mostActions) {
        throw new BerthError('invalid_input', `One turn asks for ${mostActions} actions at most.`);
      }
      const parameters = parseParameters(action, system.parameters);
      return await action.run(this.#deps, parameters, {
        session,
        rowId: row.id,
        inReplyTo: row.inReplyTo,
        address,
        note,
      });
    } catch (error) {
      if (hasCode(error, 'database_busy')) return 'busy';
      const { code, message, next } = toBerthError(error);
      if (!isAgentsFault(code)) throw error;
      const reason = cutText(message, longestReason);
      const text = next === undefined ? reason : `${reason} ${cutText(next, longestReason)}`;
      const refused = { isDone: false, text };
      note(refused);
      return refused;
    }
  }

  async #answer(
    session: Session,
    { row, system }: RequestedAction,
    { isDone, text, result }: ActionOutcome,
    wakes: boolean,
  ): Promise<void> {
    const { store, mailbox, sessions, clock, nudges } = this.#deps;
    const projection = sessions.projectionOf(session);
    const now = isoAt(clock.now());
    const event = isDone ? 'action.done' : 'action.failed';
    const request = { action: system.action, requestId: row.id };
    const answer = { event, text, ...request, ...(result === undefined ? {} : { result }) };
    await mailbox.post(session.id, {
      ...projection,
      row: messageRow({
        id: `action-${row.id}`,
        nowMs: clock.now(),
        status: wakes ? 'pending' : 'context',
        address: projection.routing ?? null,
        content: { kind: 'system', system: answer },
      }),
    });
    if (!wakes) return;
    store.dueItems.advance(session.id, 'wake', now);
    nudges.container(session.id);
  }
}

/** The action that it asked for cannot be done, however often it is asked. */
function isAgentsFault(code: BerthError['code']): boolean {
  return ['invalid_input', 'not_found', 'already_exists', 'file_refused'].includes(code);
}

function hasEnded(): BerthError {
  return new BerthError('invalid_input', 'This conversation has ended.');
}

function unknownAction(name: string): BerthError {
  const names = actions.map((one) => one.name).join(', ');
  return new BerthError('invalid_input', `There is no action ${JSON.stringify(name)}.`, {
    next: `The actions are: ${names}.`,
  });
}

function parseParameters(action: Action, given: unknown): unknown {
  const result = action.parameters.safeParse(given);
  if (result.success) return result.data;
  const why = describeIssues(result.error, 'they');
  const example = exampleOf[action.name as keyof typeof exampleOf];
  throw new BerthError(
    'invalid_input',
    `The parameters of ${action.name} cannot be used: ${why}.`,
    {
      next: `Write them like ${example}.`,
    },
  );
}
