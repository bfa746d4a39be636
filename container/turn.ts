/**
 * Runs one turn: what was claimed goes to the provider, and comes back as rows and acks for one transaction. Nothing is
 * acked before the turn has ended, follow-ups included.
 */
import { BerthError, toBerthError } from '../shared/base/errors.js';
import type { NewId } from '../shared/base/ids.js';
import type { Logger } from '../shared/base/logger.js';
import type { FinalAck, NewOutboundRow } from '../shared/protocol/mailbox/outbound-writer.js';
import { encodeContent, type Address } from '../shared/protocol/session-message.js';
import type { Batch } from './intake.js';
import { renderPrompt } from './prompt.js';
import type { Provider, Reply, TurnMessages, TurnResult } from './providers/provider.js';

export type TurnEnd =
  | {
      readonly kind: 'ended';
      readonly rows: readonly NewOutboundRow[];
      readonly acks: readonly FinalAck[];
    }
  /** Cut off by the signal: nothing of it counts. */
  | { readonly kind: 'abandoned' };

export interface TurnDeps {
  readonly provider: Provider;
  /** Claims what has come since, if it can be read now. */
  readonly takeMore: (contextIds: ReadonlySet<string>) => Batch | undefined;
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
  #isOver = false;

  constructor(deps: TurnDeps, batch: Batch, signal: AbortSignal) {
    this.#deps = deps;
    this.#signal = signal;
    this.#batches = [batch];
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
      return this.#isOver ? { kind: 'abandoned' } : this.#end(result, () => undefined);
    } catch (err) {
      if (this.#isOver || this.#signal.aborted) return { kind: 'abandoned' };
      this.#deps.log.warn({ err, messageIds: this.claimedIds() }, 'turn failed');
      return this.#end(nothingSaid, () => toBerthError(err).message);
    } finally {
      this.#isOver = true;
    }
  }

  async #ask(): Promise<TurnResult> {
    const [first] = this.#batches;
    if (first === undefined || first.messages.length === 0) return nothingSaid;
    const { destinations, routing } = first;
    const { provider, onProgress, sendNow } = this.#deps;
    onProgress();
    return await provider.runTurn(
      { ...this.#forProvider(first), destinations, routing },
      {
        signal: this.#signal,
        progress: onProgress,
        send: async (reply) => {
          if (this.#isOver) throw new BerthError('provider_failed', 'The turn is over.');
          await sendNow([this.#toRow(reply)]);
        },
        takeFollowUps: () => this.#takeFollowUps(),
      },
    );
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
  #end({ replies, failures }: TurnResult, findReason: () => string | undefined): TurnEnd {
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
    const rows = replies.filter(({ inReplyTo }) => !reasons.has(inReplyTo ?? ''));
    const hasCompleted = acks.some(({ status }) => status === 'completed');
    return {
      kind: 'ended',
      rows: rows.map((reply) => this.#toRow(reply)),
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
