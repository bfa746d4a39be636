/** Tells in a chat why the answer takes longer: once for each message that waits, and reason. */
import { isoAt, type Clock } from '../../../shared/base/clock.js';
import type { Mailbox } from '../../sessions/mailbox/mailbox.js';
import type { Nudges } from '../../sessions/nudges.js';
import type { Session } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';

export interface WaitingNoticesDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly clock: Clock;
  readonly nudges: Pick<Nudges, 'notices'>;
}

export class WaitingNotices {
  readonly #deps: WaitingNoticesDeps;

  constructor(deps: WaitingNoticesDeps) {
    this.#deps = deps;
  }

  /** Its container cannot be started. */
  async tellTrouble(session: Session): Promise<void> {
    await this.#tell(
      session,
      'waiting',
      'The agent cannot be started right now. Your message is kept and will be answered as soon as it can.',
    );
  }

  /** All places for containers are taken. */
  async tellPlace(session: Session, place: number): Promise<void> {
    await this.#tell(
      session,
      'queued',
      `Many conversations are going on right now, and this one is number ${place} in the queue. Your message is kept and will be answered when its turn comes.`,
    );
  }

  async #tell(session: Session, why: string, text: string): Promise<void> {
    const { store, mailbox, clock, nudges } = this.#deps;
    const now = isoAt(clock.now());
    const open = await mailbox.inbound(session.id, 'listOpen');
    // For what is planned for later nobody waits yet.
    const found = open.find(
      ({ status, processAfter }) => status === 'pending' && (processAfter ?? '') <= now,
    );
    if (found === undefined || found.address === null) return;
    const id = `${why}-${session.id}-${found.id}`;
    const notice = { id, address: found.address, inReplyTo: found.id, text };
    store.notices.insert(notice, now);
    nudges.notices();
  }
}
