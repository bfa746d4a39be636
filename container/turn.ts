/**
 * Runs one turn: what was claimed goes to the provider, and comes back as rows and acks for one transaction. Nothing is
 * acked before the turn has ended, follow-ups included.
 */
import { BerthError, toBerthError } from '../shared/base/errors.js';
import type { NewId } from '../shared/base/ids.js';
import type { Logger } from '../shared/base/logger.js';
import type {
  FinalAck,
  NewOutboundRow,
  StateChange,
} from '../shared/protocol/mailbox/outbound-writer.js';
import { encodeContent, type Address } from '../shared/protocol/session-message.js';
import type { Batch } from './intake.js';
import { renderPrompt } from './prompt.js';
import type { AgentPort, Provider, Reply, TurnMessages, TurnResult } from './providers/provider.js';
import { TurnState } from './turn-state.js';

export type TurnEnd =
  | {
      readonly kind: 'ended';
      readonly rows: readonly NewOutboundRow[];
      readonly acks: readonly FinalAck[];
      readonly state: readonly StateChange[];
    }
  /** Cut off by the signal: nothing of it counts. */
  | { readonly kind: 'abandoned' };

export interface TurnDeps {
  readonly provider: Provider;
  /** Claims what has come since, if it can be read now. */
  readonly takeMore: (contextIds: ReadonlySet<string>) => Batch | undefined;
  /** The provider's note of that key, as it is written. */
  readonly findState: (key: string) => string | undefined;
  /** Writes rows ahead of the acks. */
  readonly sendNow: (rows: readonly NewOutboundRow[]) => Promise<void>;
  readonly onProgress: (silenceMs?: number) => void;
  readonly inDir: string;
  readonly newId: NewId;
  readonly log: Logger;
}

export class Turn {
  readonly #deps: TurnDeps;
  readonly #signal: AbortSignal;
  readonly #batches: Batch[];
  readonly #state: TurnState;
  /** Actions that were asked for. */
  readonly #requests: NewOutboundRow[] = [];
  #isOver = false;

  constructor(deps: TurnDeps, batch: Batch, signal: AbortSignal) {
    this.#deps = deps;
    this.#signal = signal;
    this.#batches = [batch];
    this.#state = new TurnState(deps.findState);
  }

  /** The ids of all messages that are claimed for this turn. */
  claimedIds(): readonly string[] {
    return this.#batches.flatMap(({ attempts }) => attempts.map(({ id }) => id));
  }

  /** The highest seq that was seen in inbound.db. */
  inboundMaxSeq(): number {
    return Math.max(...this.#batches.map((batch) => batch.inboundMaxSeq));
  }

  /** Whatever still comes from the provider counts for nothing. */
  abandon(): void {
    this.#isOver = true;
  }

  async run(): Promise<TurnEnd> {
    try {
      const result = await this.#ask();
      if (this.#isOver) return { kind: 'abandoned' };
      const ended = this.#end(result, this.#requests, () => undefined);
      return { ...ended, state: this.#state.changes() };
    } catch (err) {
      if (this.#isOver || this.#signal.aborted) return { kind: 'abandoned' };
      this.#deps.log.warn({ err, messageIds: this.claimedIds() }, 'turn failed');
      return { ...this.#end(nothingSaid, [], () => toBerthError(err).message), state: [] };
    } finally {
      this.#isOver = true;
    }
  }

  async #ask(): Promise<TurnResult> {
    const [first] = this.#batches;
    if (first === undefined || first.messages.length === 0) return nothingSaid;
    const { destinations, routing } = first;
    const { provider, onProgress } = this.#deps;
    onProgress();
    const input = { ...this.#forProvider(first), destinations, routing };
    return await provider.runTurn(input, this.#port());
  }

  #port(): AgentPort {
    return {
      signal: this.#signal,
      progress: this.#deps.onProgress,
      send: async (reply) => {
        if (this.#isOver) throw new BerthError('provider_failed', 'The turn is over.');
        const row = this.#toRow(reply);
        await this.#deps.sendNow([row]);
        return row.id;
      },
      takeFollowUps: () => this.#takeFollowUps(),
      state: this.#state,
      tools: {
        request: (inReplyTo, system) => {
          const row = this.#toRow({ inReplyTo, content: { kind: 'system', system } });
          this.#requests.push(row);
          return row.id;
        },
      },
    };
  }

  #takeFollowUps(): TurnMessages {
    const isEnding = this.#isOver || this.#signal.aborted;
    const batch = isEnding ? undefined : this.#deps.takeMore(new Set(this.#contextIds()));
    if (batch === undefined) return { messages: [], context: [], prompt: '' };
    this.#batches.push(batch);
    return this.#forProvider(batch);
  }

  #forProvider({ messages, context }: Batch): TurnMessages {
    const { inDir } = this.#deps;
    return { messages, context, prompt: renderPrompt({ messages, context, inDir }) };
  }

  /** `findReason` tells why a message that nothing else is said about has failed, if it has. */
  #end(
    { replies, failures }: TurnResult,
    requests: readonly NewOutboundRow[],
    findReason: () => string | undefined,
  ): Omit<Extract<TurnEnd, { kind: 'ended' }>, 'state'> {
    const unreadable = this.#batches.flatMap((batch) => batch.unreadable);
    const reasons = new Map([
      ...failures.map(({ messageId, reason }) => [messageId, reason] as const),
      ...unreadable.map(({ id, reason }) => [id, reason] as const),
    ]);
    const acks = this.#batches.flatMap(({ attempts }) =>
      attempts.map(({ id, tries }): FinalAck => {
        const reason = reasons.get(id) ?? findReason();
        return reason === undefined
          ? { status: 'completed', id }
          : { status: 'failed', id, tries, reason };
      }),
    );
    // A reply to a failed message would be said again at its next try; its context is for that try too.
    const rows = [...replies.map((reply) => this.#toRow(reply)), ...requests].filter(
      ({ inReplyTo }) => !reasons.has(inReplyTo ?? ''),
    );
    const hasCompleted = acks.some(({ status }) => status === 'completed');
    return {
      kind: 'ended',
      rows,
      acks: hasCompleted ? [...acks, ...this.#contextAcks()] : acks,
    };
  }

  #contextAcks(): readonly FinalAck[] {
    return this.#contextIds().map((id) => ({ status: 'completed', id }));
  }

  #contextIds(): readonly string[] {
    return this.#batches.flatMap(({ contextIds }) => contextIds);
  }

  #toRow({ inReplyTo, address, deliverAfter, content }: Reply): NewOutboundRow {
    return {
      id: this.#deps.newId('o'),
      inReplyTo,
      deliverAfter: deliverAfter ?? null,
      kind: content.kind === 'chat' ? 'chat' : 'system',
      address: address ?? this.#addressFor(inReplyTo),
      content: encodeContent(content),
    };
  }

  #addressFor(inReplyTo: string | null): Address | null {
    const answered = this.#batches
      .flatMap(({ messages }) => messages)
      .find(({ id }) => id === inReplyTo);
    return answered?.address ?? this.#batches.at(-1)?.routing ?? null;
  }
}

const nothingSaid: TurnResult = { replies: [], failures: [] };
