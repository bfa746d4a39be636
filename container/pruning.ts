/**
 * Takes away what is too old in outbound.db, a slice at a time and only while nobody waits for an answer. Rows may go
 * when inbound.db says that they are over: a row whose outcome is final, and an ack whose message the host has removed.
 * In this order nothing is sent or run again; see docs/adr/0008.
 */
import type { Clock } from '../shared/base/clock.js';
import type { Logger } from '../shared/base/logger.js';
import type { InboundReader } from '../shared/protocol/mailbox/inbound-reader.js';
import { OutboundPruner, type OldNote } from '../shared/protocol/mailbox/outbound-pruner.js';
import { findPruneOrder, type PruneOrder } from '../shared/protocol/prune-order.js';
import { outboundDbPath, type Workspace } from '../shared/protocol/workspace.js';
import { NudgeTimer } from './nudge-timer.js';

export interface PruningDeps {
  readonly inbound: InboundReader;
  readonly outbound: OutboundPruner;
  /** The order says what may go now; undefined: nothing. Asked for at the beginning of each pass. */
  readonly findOrder: () => PruneOrder | undefined;
  readonly clock: Clock;
  /** How long nobody must have waited before it begins, and between two slices; in milliseconds. */
  readonly quietMs: number;
  readonly pauseMs: number;
  /** Asks for another poll: `rest` is called when there is nothing else to do. */
  readonly nudge: () => void;
  readonly log: Logger;
}

const dayMs = 86_400_000;
const sliceRows = 200;
const prunePauseMs = 50;

const stages = ['messages', 'acks', 'state'] as const;

/** The place where a pass through the file stands. */
interface Pass {
  readonly before: string;
  readonly kept: ReadonlySet<string>;
  stage: number;
  after: string;
  slices: number;
  removed: number;
}

export class Pruning {
  readonly #deps: PruningDeps;
  readonly #timer: NudgeTimer;
  #quietFromMs: number;
  /** By the clock. Undefined: not known yet. */
  #dueAtMs: number | undefined;
  #pass: Pass | undefined;

  constructor(deps: PruningDeps) {
    this.#deps = deps;
    this.#timer = new NudgeTimer(deps.nudge);
    this.#quietFromMs = performance.now() + deps.quietMs;
  }

  /** A message has been waiting: pruning goes on when that is some time ago. */
  postpone(): void {
    this.#quietFromMs = performance.now() + this.#deps.quietMs;
  }

  /** There is nothing to do: one slice, if it is time. Never throws. */
  rest(): void {
    const waitMs = this.#quietFromMs - performance.now();
    if (waitMs > 0) {
      if (this.#isDue()) this.#timer.nudgeNotBefore(waitMs);
      return;
    }
    try {
      this.#dueAtMs ??= this.#findDueAtMs();
      if (!this.#isDue()) return;
      this.#goOn();
    } catch (err) {
      this.#deps.log.debug({ err }, 'outbound database not pruned');
      this.#continueLater();
    }
  }

  stop(): void {
    this.#timer.clear();
  }

  #isDue(): boolean {
    return this.#dueAtMs === undefined || this.#deps.clock.now() >= this.#dueAtMs;
  }

  #findDueAtMs(): number {
    const prunedAtMs = Date.parse(this.#deps.outbound.findPrunedAt() ?? '');
    return Number.isNaN(prunedAtMs) ? 0 : prunedAtMs + dayMs;
  }

  #continueLater(): void {
    this.#dueAtMs = this.#deps.clock.now() + dayMs / 24;
  }

  #goOn(): void {
    this.#pass ??= newPass(this.#deps.findOrder());
    const pass = this.#pass;
    if (pass === undefined) {
      this.#continueLater();
      return;
    }
    const stage = stages[pass.stage];
    if (stage === undefined) {
      this.#end(pass);
      return;
    }
    const next = this.#slice(stage, pass);
    pass.slices += 1;
    pass.after = next ?? '';
    if (next === undefined) pass.stage += 1;
    const { pauseMs } = this.#deps;
    this.#quietFromMs = performance.now() + pauseMs;
    this.#timer.nudgeNotBefore(pauseMs);
  }

  #end({ slices, removed }: Pass): void {
    const { outbound, clock, log } = this.#deps;
    this.#pass = undefined;
    this.#dueAtMs = clock.now() + dayMs;
    if (removed > 0) log.info({ rows: removed }, 'outbound database pruned');
    // A small file is gone through sooner than that could be written down.
    if (slices > stages.length) outbound.notePruned(clock.now());
  }

  /** Returns where to go on in this stage. */
  #slice(stage: (typeof stages)[number], pass: Pass): string | undefined {
    const { outbound } = this.#deps;
    const { before: cutoff, kept } = pass;
    switch (stage) {
      case 'messages': {
        const { old, next } = outbound.listOldMessages(pass.after, sliceRows, cutoff);
        const settled = this.#findSettled(
          old.map(({ id }) => id),
          cutoff,
        );
        const gone = old.filter(({ id }) => settled.has(id) && !kept.has(id));
        outbound.deleteMessages(gone);
        pass.removed += gone.length;
        return next;
      }
      case 'acks': {
        const { old, next } = outbound.listOldAcks(pass.after, sliceRows, cutoff);
        const gone = this.#withoutKnown(old);
        outbound.deleteAcks(gone);
        pass.removed += gone.length;
        return next;
      }
      case 'state': {
        const { old, next } = outbound.listOldState(pass.after, sliceRows, cutoff);
        outbound.deleteState(this.#withoutKnown(old));
        return next;
      }
    }
  }

  #findSettled(messageOutIds: readonly string[], cutoff: string): ReadonlySet<string> {
    if (messageOutIds.length === 0) return new Set();
    return this.#deps.inbound.read((inbound) => inbound.findSettledOut(messageOutIds, cutoff));
  }

  /** While a message is in inbound.db, what is noted about it keeps it from being run again. */
  #withoutKnown(notes: readonly OldNote[]): readonly OldNote[] {
    if (notes.length === 0) return notes;
    const ids = notes.map(({ messageId }) => messageId);
    const known = this.#deps.inbound.read((inbound) => inbound.findKnown(ids));
    return notes.filter(({ messageId }) => !known.has(messageId));
  }
}

function newPass(order: PruneOrder | undefined): Pass | undefined {
  if (order === undefined) return undefined;
  const { before, keptMessageIds } = order;
  return { before, kept: new Set(keptMessageIds), stage: 0, after: '', slices: 0, removed: 0 };
}

/** The pruning of a session's own files. */
export function pruningOf(
  {
    workspace,
    pruneQuietMs,
    clock,
    log,
  }: Pick<PruningDeps, 'clock' | 'log'> & {
    readonly workspace: Workspace;
    readonly pruneQuietMs: number;
  },
  inbound: InboundReader,
  nudge: () => void,
): Pruning {
  return new Pruning({
    clock,
    log,
    findOrder: () => findPruneOrder(workspace.inDir),
    inbound,
    outbound: new OutboundPruner(outboundDbPath(workspace.outDir)),
    quietMs: pruneQuietMs,
    pauseMs: prunePauseMs,
    nudge,
  });
}
