/**
 * Describes what an agent may ask of the host, through a messages_out row of kind system. The row's id is the key of
 * the action: asked again after a crash, it does nothing twice, and gives the answer that it gave.
 */
import type { z } from 'zod';
import type { Clock } from '../../../shared/base/clock.js';
import type { Address } from '../../../shared/protocol/session-message.js';
import type { QuestionView } from '../../channels/channel.js';
import type { TaskPlans } from '../../sessions/tasks/task-plans.js';
import type { Session } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';
import type { AgentMail } from '../agents/agent-mail.js';
import type { OutboxFiles } from '../files/outbox-files.js';

/** The result of an action. */
export interface ActionOutcome {
  readonly isDone: boolean;
  /** A sentence for the agent. */
  readonly text: string;
  /** Data for the agent, as JSON. */
  readonly result?: unknown;
  /** The row itself says this in its chat. */
  readonly post?: { readonly text: string; readonly question: QuestionView };
}

/** The things that actions work with. */
export interface ActionScope {
  readonly store: Store;
  readonly clock: Clock;
  readonly tasks: TaskPlans;
  readonly agents: AgentMail;
  readonly outboxFiles: OutboxFiles;
  /** The install's. */
  readonly timeZone: string;
}

/** An action that is asked for. */
export interface ActionRequest {
  readonly session: Session;
  /** The messages_out row. */
  readonly rowId: string;
  /** The messages_in row that the agent was answering, as it says. */
  readonly inReplyTo: string | null;
  /** The chat that the row goes to; undefined where the agent may not write there. */
  readonly address: Address | undefined;
  /** Notes what came of it. Called in the transaction of its effect on central.db, where it has one. */
  readonly note: (outcome: ActionOutcome) => void;
}

export interface Action<Name extends string = string, Parameters extends z.ZodType = z.ZodType> {
  readonly name: Name;
  /** A sentence that says what it does. */
  readonly summary: string;
  readonly parameters: Parameters;
  /** Whether the agent asked a question: then its answer wakes it. */
  readonly isQuestion: boolean;
  /** Throws BerthError for what cannot be done: the agent is told. */
  readonly run: (
    scope: ActionScope,
    parameters: z.output<Parameters>,
    request: ActionRequest,
  ) => Promise<ActionOutcome>;
}

/** Keeps the types of its parts. */
export function action<Name extends string, Parameters extends z.ZodType>(
  definition: Action<Name, Parameters>,
): Action<Name, Parameters> {
  return definition;
}
