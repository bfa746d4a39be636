/**
 * The contract between a turn and what thinks in it. For implementers:
 * - `runTurn` answers every message it was given, fails it by name, or throws: then all of them have failed.
 * - Replies that it returns are written together with the acks, or not at all: a turn that is cut off leaves none.
 * - When the signal aborts it ends within a second, by throwing, or by returning if it was done anyway. A provider
 *   never returns half a turn: what it returns counts as the end.
 * - A provider calls `progress` only when something has moved. A turn that shows no progress is taken for stuck and
 *   ended.
 */
import type { Clock } from '../../shared/base/clock.js';
import type { Logger } from '../../shared/base/logger.js';
import type { ProviderName, ProviderOptions } from '../../shared/protocol/provider-table.js';
import type {
  Address,
  Destination,
  InboundMessage,
  OutboundContent,
  SystemOut,
} from '../../shared/protocol/session-message.js';
import type { Workspace } from '../../shared/protocol/workspace.js';

/** Messages for one turn, or more of them for a turn that runs already. */
export interface TurnMessages {
  /** To be answered, oldest first. */
  readonly messages: readonly InboundMessage[];
  /** Said in the chat before them, and not to be answered; oldest first. */
  readonly context: readonly InboundMessage[];
  /** Both as one text for a model. */
  readonly prompt: string;
}

export interface TurnInput extends TurnMessages {
  /** The places where the agent may send of its own accord. */
  readonly destinations: readonly Destination[];
  /** The session's own chat. */
  readonly routing: Address | null;
}

export interface Reply {
  /** The message that it answers. */
  readonly inReplyTo: string | null;
  /** The place it goes to. Left out: where the answered message came from, or else the session's own chat. */
  readonly address?: Address;
  /** ISO-8601: it is sent then, also where the session's container has ended meanwhile. Left out: at once. */
  readonly deliverAfter?: string;
  readonly content: OutboundContent;
}

export interface TurnResult {
  readonly replies: readonly Reply[];
  /** Messages that could not be handled, with a reason for a person; all the others are completed. */
  readonly failures: readonly { readonly messageId: string; readonly reason: string }[];
}

/** Notes of the provider's own, by key: they outlive the container. Nobody else reads them. */
export interface AgentState {
  get(key: string): string | undefined;
  /** Is read back at once, and written with the acks of this turn, or not at all. Throws provider_failed where it is too long. */
  set(key: string, value: string): void;
  delete(key: string): void;
}

/** Berth does this for an agent that asks: see docs/protocol.md, "Actions". */
export interface AgentTools {
  /**
   * Asks for an action, with the acks of this turn, or not at all; not where the message that it answers fails. Returns the id
   * of the request: the answer comes as a message of kind system that names it as `requestId`.
   */
  request(inReplyTo: string | null, action: SystemOut): string;
}

/** A provider is given this for a turn. */
export interface AgentPort {
  readonly signal: AbortSignal;
  /**
   * A sign of life. Cheap: call it at every step, token or chunk. Before a step that shows none for long, such as a
   * tool call with a timeout of its own, announce how long that may take at the most, in milliseconds.
   */
  progress(silenceMs?: number): void;
  /**
   * Sends at once, ahead of the acks. The text stays said even when the turn fails later and is run again. Resolves with the
   * message's id, by which an edit or a reaction names it.
   */
  send(reply: Reply): Promise<string>;
  /** Takes messages that have come since into this turn; they are acked when it ends. Often empty. */
  takeFollowUps(): TurnMessages;
  readonly state: AgentState;
  readonly tools: AgentTools;
}

export interface Provider {
  runTurn(turn: TurnInput, port: AgentPort): Promise<TurnResult>;
}

/** A provider is made from this. */
export interface ProviderContext {
  readonly workspace: Workspace;
  /** How often a provider that is alive should show it, in milliseconds. */
  readonly heartbeatIntervalMs: number;
  /** Ends the runner on the spot. */
  readonly exit: (code: number) => never;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface ProviderDefinition<Name extends ProviderName> {
  readonly create: (context: ProviderContext, options: ProviderOptions<Name>) => Provider;
}
