/**
 * Lists by name what the reader process does with what a container has written. The process reads the files of sessions
 * below its working folder, and writes nowhere but in a folder that is given to it for a repair.
 */
import { join } from 'node:path';
import type {
  OutboundReader,
  PageRequest,
} from '../../../shared/protocol/mailbox/outbound-reader.js';
import type { RebuildRequest } from '../repair/rebuild/fresh-file.js';
import { rebuildInbound } from '../repair/rebuild/inbound-rebuild.js';
import { rebuildOutbound } from '../repair/rebuild/outbound-rebuild.js';
import { outboundDbName } from '../../../shared/protocol/workspace.js';

/** Where one session's outbound.db lies. */
export interface ReadPlace {
  /** Of the file itself. */
  readonly path: string;
  /** Where its second name is; null: the file is opened by its own. See outbound-view. */
  readonly viewDir: string | null;
  /** How long a lock is waited for, in milliseconds; 0 where others wait for the answer. */
  readonly busyTimeoutMs: number;
}

export const readerCalls = {
  readPage: (reader: OutboundReader, request: PageRequest) => {
    const page = reader.readPage(request);
    return page === undefined ? null : { ...page, acks: [...page.acks] };
  },
  /** Ids and seqs after one, without what is in the rows. */
  listHeads: (reader: OutboundReader, after: number, limit: number) =>
    reader.listHeadsAfter(after, limit),
  listNewest: (reader: OutboundReader, limit: number) => reader.listNewest(limit),
  find: (reader: OutboundReader, id: string) => reader.find(id) ?? null,
  findAcks: (reader: OutboundReader, ids: readonly string[]) => [...reader.findAcks(ids)],
  findExisting: (reader: OutboundReader, ids: readonly string[]) => [...reader.findExisting(ids)],
  maxSeq: (reader: OutboundReader) => reader.maxSeq(),
  /** Both work on a copy in a folder of the host's, and make a draft there. */
  rebuildInbound: (_reader: OutboundReader, request: RebuildRequest) => rebuildInbound(request),
  rebuildOutbound: (_reader: OutboundReader, request: RebuildRequest) => rebuildOutbound(request),
} as const;

export type ReaderCalls = typeof readerCalls;
export type ReaderCallName = keyof ReaderCalls;

/** The arguments after the reader. */
export type ReaderArgs<K extends ReaderCallName> =
  Parameters<ReaderCalls[K]> extends [OutboundReader, ...infer Rest] ? Rest : never;

/** Throws what the call throws. */
export function runReaderCall(
  name: ReaderCallName,
  reader: OutboundReader,
  args: unknown[],
): unknown {
  const call = readerCalls[name] as (reader: OutboundReader, ...args: unknown[]) => unknown;
  return call(reader, ...args);
}

/** Below the reader's working folder, which is that of all sessions. */
export function placeOf(sessionId: string): ReadPlace {
  return {
    path: join(sessionId, 'out', outboundDbName),
    viewDir: join(sessionId, 'view'),
    busyTimeoutMs: 0,
  };
}
