/** Repairs both files of a session in the right order, and tells of it: in the log, in the table of repairs, in the chat. */
import { rm } from 'node:fs/promises';
import { isoAt } from '../../../shared/base/clock.js';
import {
  damageMarkPath,
  inboundDbName,
  outboundDbName,
} from '../../../shared/protocol/workspace.js';
import type { MailboxFile, Repair } from '../../store/repairs.js';
import type { Session } from '../../store/sessions.js';
import { recordDeadLetter } from '../dead-letter-record.js';
import { failureNoticeId } from '../settlement/settlement.js';
import { findDamage } from './damage.js';
import { FileSwap } from './file-swap.js';
import { completeInbound, type InboundLosses } from './inbound-repair.js';
import type { Salvage } from './rebuild/fresh-file.js';
import type { RepairDeps } from './repair-deps.js';
import { readShort } from './repair-files.js';

const lostReason = 'it was lost with a damaged file';
const unknownReason =
  'the file that told whether it was sent is damaged: it may have arrived, and is not sent again';
const rolledBackDetail =
  'A writer was killed in the middle of a commit; what it had begun was taken back.';

export class SessionRepair {
  readonly #deps: RepairDeps;

  constructor(deps: RepairDeps) {
    this.#deps = deps;
  }

  /** Whether a repair is wanted, also by the runner: it leaves a mark where it cannot read one of the files. */
  async isNeeded(sessionId: string): Promise<boolean> {
    const { store, folders, clock } = this.#deps;
    const path = damageMarkPath(folders.outDir(sessionId));
    const mark = await readShort(path, 32);
    if (mark !== '') {
      store.repairs.want(sessionId, {
        file: mark.trim() === inboundDbName ? inboundDbName : outboundDbName,
        action: 'wanted',
        detail: 'The runner could not read it.',
        createdAt: isoAt(clock.now()),
      });
      await rm(path, { force: true });
    }
    const outbound = new FileSwap(this.#deps, sessionId, outboundDbName);
    return store.repairs.isWanted(sessionId) || outbound.hasJournal();
  }

  /** Returns the messages whose try has failed by this. Throws what reading and writing files throws. */
  async repair(session: Session): Promise<ReadonlySet<string>> {
    const { store, folders } = this.#deps;
    const inbound = new FileSwap(this.#deps, session.id, inboundDbName);
    const outbound = new FileSwap(this.#deps, session.id, outboundDbName);
    for (const swap of [inbound, outbound]) await swap.finishEarlier();
    const wanted = new Map(store.repairs.listWanted(session.id).map((it) => [it.file, it]));
    const hasAllAcks = await this.#repairOutbound(session, outbound, wanted.get(outboundDbName));
    const wantedInbound = wanted.get(inboundDbName);
    if (wantedInbound !== undefined) {
      await this.#repairInbound(session, inbound, wantedInbound, hasAllAcks);
    }
    await rm(folders.repairDir(session.id), { recursive: true, force: true });
    return hasAllAcks ? new Set() : await this.#listUnanswered(session);
  }

  /** False where it is not known any more what was acked. */
  async #repairOutbound(
    session: Session,
    swap: FileSwap,
    wanted: Repair | undefined,
  ): Promise<boolean> {
    if (wanted?.action !== 'wanted' && !swap.hasJournal()) {
      if (wanted !== undefined) this.#settle(session, outboundDbName, 'not-needed', wanted.detail);
      return true;
    }
    const salvage = await swap.makeDraft();
    const keptAs = await swap.install(salvage);
    if (salvage.isRolledBack) {
      this.#settle(session, outboundDbName, 'rolled-back', rolledBackDetail);
      return true;
    }
    await this.#giveUpLostReplies(session);
    await this.#tellReplaced(session, outboundDbName);
    const facts = [`${salvage.messageCount} replies saved`, amountOf(salvage)];
    const { malformedCount } = salvage;
    if (malformedCount > 0) facts.push(`${malformedCount} rows that are no messages left out`);
    this.#settle(session, outboundDbName, 'replaced', describe(wanted, facts, keptAs));
    return salvage.hasAllOutcomes;
  }

  /** Losses are told before the file is in its place: told twice is told once. */
  async #repairInbound(
    session: Session,
    swap: FileSwap,
    wanted: Repair,
    hasAllAcks: boolean,
  ): Promise<void> {
    const salvage = await swap.makeDraft();
    const losses = await completeInbound(this.#deps, session, swap.draft, salvage, hasAllAcks);
    this.#tellLosses(session, losses);
    const keptAs = await swap.install(salvage);
    await this.#tellReplaced(session, inboundDbName);
    const { lost, unknown } = losses;
    const facts = [`${salvage.messageCount} messages saved`, amountOf(salvage)];
    facts.push(lost.length === 0 ? 'none that waited was lost' : `${lost.length} lost`);
    if (unknown.length > 0) facts.push(`${unknown.length} replies may have been sent`);
    this.#settle(session, inboundDbName, 'replaced', describe(wanted, facts, keptAs));
  }

  /** Replies that were to be tried again, and are gone. */
  async #giveUpLostReplies(session: Session): Promise<void> {
    const { id: sessionId } = session;
    const { store, mailbox, clock } = this.#deps;
    const ids = [...store.deliveryRetries.list(sessionId).keys()];
    const kept = await mailbox.outbound(sessionId, 'findExisting', ids);
    for (const messageId of ids.filter((id) => !kept.has(id))) {
      const letter = { direction: 'out', messageId, reason: lostReason } as const;
      recordDeadLetter(store, session, { ...letter, createdAt: isoAt(clock.now()) });
      store.deliveryRetries.clear(sessionId, messageId);
    }
  }

  /** Messages that are open and due: where one is not acked, the runner may have worked on it all the same. */
  async #listUnanswered({ id }: Session): Promise<ReadonlySet<string>> {
    const { mailbox, clock } = this.#deps;
    const now = isoAt(clock.now());
    const open = await unlessDamaged(mailbox.inboundHeld(id, 'listOpen'));
    const due = (open ?? []).filter(
      ({ status, processAfter }) => status === 'pending' && (processAfter ?? now) <= now,
    );
    return new Set(due.map((message) => message.id));
  }

  #tellLosses(session: Session, { lost, unknown }: InboundLosses): void {
    const { store, clock, nudges } = this.#deps;
    const createdAt = isoAt(clock.now());
    store.transaction(() => {
      for (const { messageId, address } of lost) {
        const letter = { direction: 'in', messageId, reason: lostReason, createdAt } as const;
        recordDeadLetter(store, session, letter);
        const id = failureNoticeId(session.id, messageId);
        const text = 'Sorry, this message was lost with a damaged file. Please send it again.';
        const notice = { id, address, inReplyTo: messageId, text };
        store.notices.insert(notice, createdAt);
      }
      for (const messageId of unknown) {
        const letter = { direction: 'out', messageId, reason: unknownReason, createdAt } as const;
        recordDeadLetter(store, session, { ...letter, maybeSent: true });
      }
    });
    if (lost.length > 0) nudges.notices();
  }

  async #tellReplaced(session: Session, file: MailboxFile): Promise<void> {
    const { store, mailbox, sessions, clock, nudges } = this.#deps;
    const known = await unlessDamaged(mailbox.inboundHeld(session.id, 'summarize'));
    const address = sessions.projectionOf(session).routing ?? known?.routing ?? null;
    if (address === null) return;
    const now = isoAt(clock.now());
    const text =
      'A file of this conversation was damaged and has been replaced. The conversation goes on; should an answer be missing, please ask again.';
    const id = `repaired-${session.id}-${file}-${now}`;
    store.notices.insert({ id, address, inReplyTo: null, text }, now);
    nudges.notices();
  }

  #settle(session: Session, file: MailboxFile, action: Repair['action'], detail: string): void {
    const { store, clock, log } = this.#deps;
    const { id, messagingGroupId } = session;
    const now = isoAt(clock.now());
    store.transaction(() => {
      store.repairs.settle(id, { file, action, detail, createdAt: now });
      const event = { name: 'session.repaired', sessionId: id, messagingGroupId } as const;
      store.events.add({ ...event, detail: { why: `${file}: ${detail}` } }, now);
    });
    const fields = { sessionId: id, file, detail };
    if (action === 'replaced') log.error(fields, 'session file replaced');
    else log.warn({ ...fields, action }, 'session file repaired');
  }
}

/** Undefined where inbound.db is damaged as well: the next pass finds that. */
async function unlessDamaged<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (findDamage(error) === undefined) throw error;
    return undefined;
  }
}

function amountOf({ isComplete }: Salvage): string {
  return isComplete ? 'all of it' : 'not all of it';
}

function describe(
  wanted: Repair | undefined,
  facts: readonly string[],
  keptAs: string | undefined,
): string {
  const reason = (wanted?.detail ?? 'Its journal cannot be used.').replace(/\.?$/, '.');
  const kept = keptAs === undefined ? 'Nothing was left of it.' : `Kept as ${keptAs}.`;
  return `${reason} ${facts.join(', ')}. ${kept}`;
}
