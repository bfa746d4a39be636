import { readFileSync } from 'node:fs';
import * as z from 'zod/mini';
import { pruneOrderPath } from './workspace.js';

/** `in/pruning.json`: what a runner may take away in outbound.db. Only the host says what is old: it knows its clock. */
const pruneOrderSchema = z.object({
  /** ISO-8601: what was settled before may go. */
  before: z.iso.datetime(),
  /** Ids of messages_out rows that stay whatever their age: a person may still want to send them. */
  keptMessageIds: z.array(z.string()),
});

export type PruneOrder = z.infer<typeof pruneOrderSchema>;

/** Undefined where there is none, or none that can be read: then nothing may go. */
export function findPruneOrder(inDir: string): PruneOrder | undefined {
  try {
    return pruneOrderSchema.parse(JSON.parse(readFileSync(pruneOrderPath(inDir), 'utf8')));
  } catch {
    return undefined;
  }
}
