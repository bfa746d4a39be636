/**
 * Parses what a reader process may answer. The process has read what a container wrote: nothing of it is believed
 * before it is parsed.
 */
import { z } from 'zod';
import { BerthError, type ErrorCode } from '../../../shared/base/errors.js';
import type {
  OutboundPage,
  OutboundRow,
} from '../../../shared/protocol/mailbox/outbound-reader.js';
import type { AckRecord } from '../../../shared/protocol/mailbox/outbound-acks.js';
import type { Salvage } from '../repair/rebuild/fresh-file.js';
import type { ReaderCallName } from './reader-calls.js';

const seq = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const short = z.string().max(8_192);
const id = short;

const rowSchema = z.object({
  id,
  seq,
  inReplyTo: short.nullable(),
  timestamp: short,
  deliverAfter: short.nullable(),
  kind: short,
  channelType: short.nullable(),
  platformId: short.nullable(),
  threadId: short.nullable(),
  content: z.string().nullable(),
  recurs: z.union([z.literal(0), z.literal(1)]),
});

const ackSchema = z.object({
  status: z.enum(['processing', 'completed', 'failed']),
  tries: z.number().int(),
  statusChanged: short,
  reason: short.nullable(),
});

const acksSchema = z.array(z.tuple([id, ackSchema]));

const pageSchema = z
  .object({ rows: z.array(rowSchema), acks: acksSchema, maxSeq: seq, isLast: z.boolean() })
  .nullable();

const headsSchema = z.array(z.object({ id, seq }));
const newestSchema = z.array(rowSchema);
const foundSchema = rowSchema.nullable();
const idsSchema = z.array(id);

const count = z.number().int().min(0);
const salvageSchema = z.object({
  isRolledBack: z.boolean(),
  messageCount: count,
  malformedCount: count,
  hasAllOutcomes: z.boolean(),
  isComplete: z.boolean(),
});

/** The result of each call, once it is parsed. */
export interface ReaderResults {
  /** Undefined while the runner has written nothing. */
  readonly readPage: OutboundPage | undefined;
  readonly listHeads: readonly Pick<OutboundRow, 'id' | 'seq'>[];
  readonly listNewest: readonly OutboundRow[];
  readonly find: OutboundRow | undefined;
  readonly findAcks: ReadonlyMap<string, AckRecord>;
  readonly findExisting: ReadonlySet<string>;
  readonly maxSeq: number;
  readonly rebuildInbound: Salvage;
  readonly rebuildOutbound: Salvage;
}

/** A schema is made once: making one costs more than parsing with it. */
const parsers: { readonly [K in ReaderCallName]: (value: unknown) => ReaderResults[K] } = {
  readPage: (value) => {
    const page = pageSchema.parse(value);
    if (page === null) return undefined;
    assertOrdered(page.rows);
    return { ...page, acks: new Map(page.acks) };
  },
  listHeads: (value) => {
    const heads = headsSchema.parse(value);
    assertOrdered(heads);
    return heads;
  },
  listNewest: (value) => newestSchema.parse(value),
  find: (value) => foundSchema.parse(value) ?? undefined,
  findAcks: (value) => new Map(acksSchema.parse(value)),
  findExisting: (value) => new Set(idsSchema.parse(value)),
  maxSeq: (value) => seq.parse(value),
  rebuildInbound: (value) => salvageSchema.parse(value),
  rebuildOutbound: (value) => salvageSchema.parse(value),
};

const answerSchema = z.union([
  z.object({ result: z.unknown() }).strict(),
  z.object({
    failure: z.object({
      code: short,
      message: short,
      facts: z.record(z.string(), z.union([short, z.number(), z.boolean(), z.null()])),
    }),
  }),
]);

/** Failures that a reader may tell of; anything else is its own. */
const knownCodes: readonly ErrorCode[] = [
  'database_busy',
  'database_corrupt',
  'database_missing',
  'database_unreadable',
  'disk_full',
  'io_failed',
  'resources_short',
];

/** Throws what the reader tells of, or database_corrupt where its answer is none. */
export function parseAnswer<K extends ReaderCallName>(name: K, line: string): ReaderResults[K] {
  const answer = parsed(() => answerSchema.parse(JSON.parse(line)));
  if (!('failure' in answer)) return parsed(() => parsers[name](answer.result));
  const { code, message, facts } = answer.failure;
  const known = knownCodes.find((one) => one === code) ?? 'internal';
  throw new BerthError(known, message, { facts });
}

function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (cause instanceof BerthError) throw cause;
    throw new BerthError('database_corrupt', 'What was read of outbound.db does not fit.', {
      cause,
    });
  }
}

/** Pages are gone through by seq: in a damaged index the same rows would come again and again. */
function assertOrdered(rows: readonly { readonly seq: number }[]): void {
  for (const [index, row] of rows.entries()) {
    const before = rows[index - 1];
    if (before === undefined || before.seq < row.seq) continue;
    throw new BerthError('database_corrupt', 'The messages in outbound.db are out of order.');
  }
}
