/** Which messages go into a turn. Pure: what is read from the files is passed in. */
import type { DueInbound } from '../shared/protocol/inbound-reader.js';

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
}

/**
 * The oldest open messages, filtered before the size is counted, and the context that came before the last of
 * them. A message that was tried before runs alone: what ended its turn must not take others along.
 */
export function chooseBatch(source: BatchSource, limits: BatchLimits): ChosenBatch {
  const messages = chooseMessages(source, limits);
  const last = messages.at(-1);
  if (last === undefined) return { messages, context: [] };
  return { messages, context: source.listContextBelow(last.seq).filter(source.isOpen) };
}

function chooseMessages(source: BatchSource, limits: BatchLimits): readonly DueInbound[] {
  const messages: DueInbound[] = [];
  for (const row of source.pending) {
    if (!source.isOpen(row)) continue;
    if (row.tries > 0) return messages.length === 0 && limits.takesRetries ? [row] : messages;
    messages.push(row);
    if (messages.length >= limits.size) break;
  }
  return messages;
}
