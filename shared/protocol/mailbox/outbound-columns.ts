/** Pieces of SQL that read a column of a hostile file: never a value that is too long, or of another type. */
import { maxContentBytes } from '../limits.js';

/** Of every column but content, in bytes. */
const maxShortBytes = 4_096;

/** octet_length reads a value's header only, so that a huge one is never read. */
export function shortText(column: string): string {
  return `CASE WHEN octet_length(${column}) <= ${maxShortBytes} THEN CAST(${column} AS TEXT) END`;
}

/** Far below where JavaScript's numbers lose count, so that there is room above it. */
export const maxSeqNumber = 2 ** 50;

/** The plus keeps nought from the index: taken as its lower bound it would displace a query's own. */
export const isNumbered = `typeof(seq) = 'integer' AND +seq >= 0 AND seq <= ${maxSeqNumber}`;

export const isRecordable = `${isNumbered} AND typeof(id) = 'text' AND octet_length(id) <= ${maxShortBytes}`;

export const recordableId = `CASE WHEN ${isRecordable} THEN id END`;

/** Along the index, without a condition that would have it read on for long. */
export const isAfter = `seq > ? AND seq <= ${maxSeqNumber}`;

export const rowColumns = `${recordableId} AS id, seq, ${shortText('in_reply_to')} AS inReplyTo,
  coalesce(${shortText('timestamp')}, '') AS timestamp, ${shortText('deliver_after')} AS deliverAfter,
  coalesce(${shortText('kind')}, '') AS kind, ${shortText('channel_type')} AS channelType,
  ${shortText('platform_id')} AS platformId, ${shortText('thread_id')} AS threadId,
  CASE WHEN octet_length(content) <= ${maxContentBytes} THEN CAST(content AS TEXT) END AS content,
  coalesce(octet_length(recurrence), 0) > 0 AS recurs`;
