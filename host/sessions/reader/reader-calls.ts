/**
 * Lists by name what the reader process does with what a container has written. The process reads the files of sessions
 * below its working folder, and writes nowhere but in a folder that is given to it for a repair.
 */
import { join } from 'node:path';
import type { Migration } from '../../../shared/base/sqlite/migrate.js';
import type {
  OutboundReader,
  PageRequest,
} from '../../../shared/protocol/mailbox/outbound-reader.js';
import { rebuildOutbound, rollBackCopy } from '../repair/rebuild/outbound-rebuild.js';
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

/** A folder of the host's in which the reader may write, and what lies there. */
export interface RepairRequest {
  readonly workDir: string;
  readonly migrations: readonly Migration[];
  /** Messages whose end has not been noted in inbound.db. */
  readonly open: readonly string[];
  /** A copy of the damaged file lies there. */
  readonly hasCopy: boolean;
}

/** The names in a RepairRequest's folder. */
export const repairNames = { copy: 'copy.db', draft: 'draft.db' } as const;

/** In bytes: far beyond what a runner writes. */
export const maxOutboundBytes = 1024 ** 3;

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
  /** Rolls back the journal beside the copy. */
  rollBack: (_reader: OutboundReader, { workDir }: RepairRequest) => {
    rollBackCopy(join(workDir, repairNames.copy), maxOutboundBytes);
    return null;
  },
  /** Makes a fresh file of what can be read of the copy. */
  rebuild: (_reader: OutboundReader, { workDir, migrations, open, hasCopy }: RepairRequest) =>
    rebuildOutbound(
      hasCopy ? join(workDir, repairNames.copy) : undefined,
      join(workDir, repairNames.draft),
      migrations,
      new Set(open),
    ),
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
