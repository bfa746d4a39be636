/** Mends both files of a session in the right order, and tells of it: in the log, in the table of repairs, in the chat. */
import { isoAt, type Clock } from '../../../shared/base/clock.js';
import type { Logger } from '../../../shared/base/logger.js';
import type { OpenInbound } from '../../../shared/protocol/mailbox/inbound-rows.js';
import type { Address } from '../../../shared/protocol/session-message.js';
import {
  damageMarkPath,
  inboundDbName,
  outboundDbName,
} from '../../../shared/protocol/workspace.js';
import type { DeadLetter } from '../../store/dead-letters.js';
import type { MailboxFile, Repair } from '../../store/repairs.js';
import type { Session } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';
import type { Nudges } from '../nudges.js';
import { findDamage } from './damage.js';
import type { InboundMend, InboundRepair } from './inbound-repair.js';
import type { LostMessage } from './lost-messages.js';
import type { Mailbox } from '../mailbox/mailbox.js';
import type { OutboundMend, OutboundRepair } from './outbound-repair.js';
import { readShort, removeFile } from './repair-files.js';
import type { SessionFolders } from '../session-folder.js';
import type { SessionRegistry } from '../session-registry.js';
import { failureNoticePrefix } from '../settlement/settlement.js';

export interface FileMenderDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly sessions: SessionRegistry;
  readonly folders: SessionFolders;
  readonly inboundRepair: InboundRepair;
  readonly outboundRepair: OutboundRepair;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nudges: Pick<Nudges, 'notices'>;
}

export class FileMender {
  readonly #deps: FileMenderDeps;

  constructor(deps: FileMenderDeps) {
    this.#deps = deps;
  }

  /** Writes down what the runner has noted: that it cannot read one of the files. */
  async noteSigns(sessionId: string): Promise<void> {
    const { store, folders, clock } = this.#deps;
    const path = damageMarkPath(folders.outDir(sessionId));
    const mark = await readShort(path, 32);
    if (mark === '') return;
    const file = mark.trim() === inboundDbName ? inboundDbName : outboundDbName;
    store.repairs.want(sessionId, {
      file,
      action: 'wanted',
      detail: 'The runner could not read it.',
      createdAt: isoAt(clock.now()),
    });
    await removeFile(path);
  }

  isNeeded(sessionId: string): boolean {
    const { store, outboundRepair } = this.#deps;
    return store.repairs.isWanted(sessionId) || outboundRepair.hasJournal(sessionId);
  }

  /** Returns the messages whose try has failed by this. Throws what reading and writing files throws. */
  async mend(session: Session): Promise<ReadonlySet<string>> {
    const wanted = new Map(
      this.#deps.store.repairs.listWanted(session.id).map((repair) => [repair.file, repair]),
    );
    const inbound = wanted.get(inboundDbName);
    const mend = await this.#mendOutbound(session, wanted.get(outboundDbName));
    const hasAllAcks = mend.kind !== 'replaced' || mend.salvage.hasAllAcks;
    if (inbound !== undefined) await this.#mendInbound(session, inbound, hasAllAcks);
    return hasAllAcks ? new Set() : await this.#listUnanswered(session);
  }

  async #mendOutbound(session: Session, wanted: Repair | undefined): Promise<OutboundMend> {
    const mend = await this.#deps.outboundRepair.mend(session.id, wanted?.action, async () => {
      const open = await this.#listOpen(session);
      return new Set(open.map(({ id }) => id));
    });
    switch (mend.kind) {
      case 'nothing':
        if (wanted !== undefined)
          this.#settle(session, outboundDbName, 'not-needed', wanted.detail);
        break;
      case 'rolled-back':
        this.#settle(
          session,
          outboundDbName,
          'rolled-back',
          'A writer was killed in the middle of a commit; what it had begun was taken back.',
        );
        break;
      case 'replaced':
        await this.#buryReplies(session);
        this.#tellReplaced(session, outboundDbName);
        this.#settle(session, outboundDbName, 'replaced', describeOutbound(wanted, mend));
    }
    return mend;
  }

  async #mendInbound(session: Session, wanted: Repair, hasAllAcks: boolean): Promise<void> {
    const mend = await this.#deps.inboundRepair.mend(session, hasAllAcks, (lost, unknown) => {
      this.#tellLost(session, lost, unknown);
    });
    this.#tellReplaced(session, inboundDbName, mend.salvage.routing);
    this.#settle(session, inboundDbName, 'replaced', describeInbound(wanted, mend));
  }

  /** Replies that were to be tried again, and are gone. */
  async #buryReplies(session: Session): Promise<void> {
    const { store, mailbox } = this.#deps;
    const ids = [...store.deliveryRetries.list(session.id).keys()];
    if (ids.length === 0) return;
    const kept = await mailbox.outbound(session.id, 'findExisting', ids);
    for (const messageId of ids.filter((id) => !kept.has(id))) {
      this.#bury(session, { direction: 'out', messageId }, 'it was lost with a damaged file');
      store.deliveryRetries.clear(session.id, messageId);
    }
  }

  /** What is open and due: where it is not acked, somebody may have worked on it all the same. */
  async #listUnanswered(session: Session): Promise<ReadonlySet<string>> {
    const now = isoAt(this.#deps.clock.now());
    const due = (await this.#listOpen(session)).filter(
      ({ status, processAfter }) => status === 'pending' && (processAfter ?? now) <= now,
    );
    return new Set(due.map(({ id }) => id));
  }

  async #listOpen(session: Session): Promise<readonly OpenInbound[]> {
    try {
      return await this.#deps.mailbox.inboundHeld(session.id, 'listOpen');
    } catch (error) {
      // Damaged as well: that is found by the next look.
      if (findDamage(error) === undefined) throw error;
      return [];
    }
  }

  #tellLost(session: Session, lost: readonly LostMessage[], unknown: readonly string[]): void {
    const { store, clock, nudges } = this.#deps;
    const text = 'Sorry, this message was lost with a damaged file. Please send it again.';
    store.transaction(() => {
      for (const { messageId, address } of lost) {
        this.#bury(session, { direction: 'in', messageId }, 'it was lost with a damaged file');
        const id = `${failureNoticePrefix}${session.id}-${messageId}`;
        store.notices.insert({ id, address, inReplyTo: messageId, text }, isoAt(clock.now()));
      }
      for (const messageId of unknown) {
        const reason =
          'the file that told whether it was sent is damaged: it may have arrived, and is not sent again';
        this.#bury(session, { direction: 'out', messageId }, reason, true);
      }
    });
    if (lost.length > 0) nudges.notices();
  }

  #tellReplaced(session: Session, file: MailboxFile, lastRouting?: Address): void {
    const { store, sessions, clock, nudges } = this.#deps;
    const address = sessions.projectionOf(session).routing ?? lastRouting;
    if (address === undefined) return;
    const now = isoAt(clock.now());
    const text =
      'A file of this conversation was damaged and has been replaced. The conversation goes on; should an answer be missing, please ask again.';
    const id = `repaired-${session.id}-${file}-${now}`;
    store.notices.insert({ id, address, inReplyTo: null, text }, now);
    nudges.notices();
  }

  #bury(
    session: Session,
    { direction, messageId }: Pick<DeadLetter, 'direction' | 'messageId'>,
    reason: string,
    maybeSent = false,
  ): void {
    const { store, clock } = this.#deps;
    store.deadLetters.insert({
      sessionId: session.id,
      direction,
      messageId,
      reason,
      createdAt: isoAt(clock.now()),
      maybeSent,
    });
  }

  #settle({ id }: Session, file: MailboxFile, action: Repair['action'], detail: string): void {
    const { store, clock, log } = this.#deps;
    store.repairs.settle(id, { file, action, detail, createdAt: isoAt(clock.now()) });
    const fields = { sessionId: id, file, detail };
    if (action === 'replaced') log.error(fields, 'session file replaced');
    else log.warn({ ...fields, action }, 'session file repaired');
  }
}

function describeOutbound(
  wanted: Repair | undefined,
  { salvage, keptAs }: Extract<OutboundMend, { kind: 'replaced' }>,
): string {
  const saved = salvage.isComplete ? 'all' : 'not all';
  const { rowCount, rubbishCount } = salvage;
  const leftOut = rubbishCount > 0 ? `, ${rubbishCount} rows that are no messages left out` : '';
  return describe(wanted, `${rowCount} replies saved, ${saved} of it${leftOut}`, keptAs);
}

function describeInbound(wanted: Repair, mend: InboundMend): string {
  const { salvage, lost, unknown, taskCount, keptAs } = mend;
  const facts = [
    `${salvage.messages.size} messages saved`,
    lost.length === 0 ? 'none that waited was lost' : `${lost.length} lost`,
    ...(unknown.length > 0 ? [`${unknown.length} replies may have been sent`] : []),
    ...(taskCount > 0 ? [`${taskCount} tasks written anew`] : []),
  ];
  return describe(wanted, facts.join(', '), keptAs);
}

function describe(wanted: Repair | undefined, facts: string, keptAs: string | undefined): string {
  const reason = wanted?.detail ?? 'Its journal cannot be used.';
  return `${reason.replace(/\.?$/, '.')} ${facts}. ${keptAs === undefined ? 'Nothing was left of it.' : `Kept as ${keptAs}.`}`;
}
