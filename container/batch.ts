/** Which messages go into a turn. Pure: what is read from the files is passed in. */
import type { DueInbound } from '../shared/protocol/mailbox/inbound-reader.js';

export interface BatchSource {
  /** Due rows that wake a turn, oldest first; taken only as far as needed. */
  readonly pending: Iterable<DueInbound>;
  /** Rows kept as context that are older than a seq, oldest first. */
  readonly listContextBelow: (seq: number) => readonly DueInbound[];
  readonly isOpen: (row: DueInbound) => boolean;
}

export interface BatchLimits {
  readonly size: number;
  /** Whether a message that was tried before may be taken: never into a turn that runs already. */
  readonly takesRetries: boolean;
}

export interface ChosenBatch {
  readonly messages: readonly DueInbound[];
  readonly context: readonly DueInbound[];
  /** No other message is open and due. */
  readonly isAll: boolean;
}

/**
 * The oldest open messages, filtered before the size is counted, and the context that came before the last of
 * them. A message that was tried before runs alone: what ended its turn must not take others along.
 */
export function chooseBatch(source: BatchSource, limits: BatchLimits): ChosenBatch {
  const { messages, isAll } = chooseMessages(source, limits);
  const last = messages.at(-1);
  const context = last === undefined ? [] : source.listContextBelow(last.seq).filter(source.isOpen);
  return { messages, context, isAll };
}

function chooseMessages(
  source: BatchSource,
  limits: BatchLimits,
): Pick<ChosenBatch, 'messages' | 'isAll'> {
  const messages: DueInbound[] = [];
  for (const row of source.pending) {
    if (!source.isOpen(row)) continue;
    if (row.tries > 0) {
      const isTaken = messages.length === 0 && limits.takesRetries;
      return { messages: isTaken ? [row] : messages, isAll: false };
    }
    messages.push(row);
    if (messages.length >= limits.size) return { messages, isAll: false };
  }
  return { messages, isAll: true };
}
