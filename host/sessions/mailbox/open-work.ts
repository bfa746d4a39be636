/** Tells what waits in a session and what its container is at, for those who watch over containers. */
import { isoAt, type Clock } from '../../../shared/base/clock.js';
import { BerthError, hasCode } from '../../../shared/base/errors.js';
import type { OpenInbound } from '../../../shared/protocol/mailbox/inbound-rows.js';
import type { Session } from '../../store/sessions.js';
import type { Mailbox } from './mailbox.js';

export interface OpenWorkDeps {
  readonly mailbox: Mailbox;
  readonly clock: Clock;
}

export class OpenWork {
  readonly #deps: OpenWorkDeps;

  constructor(deps: OpenWorkDeps) {
    this.#deps = deps;
  }

  /**
   * Lists what the session's container is at, oldest first: what it has claimed, undefined where that cannot be read;
   * `waiting` is what it should have.
   */
  async listUnderWay(session: Session): Promise<{
    readonly claimed: readonly string[] | undefined;
    readonly waiting: readonly string[];
  }> {
    const { mailbox, clock } = this.#deps;
    const now = isoAt(clock.now());
    const open = await mailbox.inbound(session.id, 'listOpen');
    const due = open.filter((row) => isPending(row) && (row.processAfter ?? now) <= now);
    const ids = due.map(({ id }) => id);
    try {
      const acks = await mailbox.outbound(session.id, 'findAcks', ids);
      const claimed = ids.filter((id) => acks.get(id)?.status === 'processing');
      return { claimed, waiting: ids };
    } catch (error) {
      // A commit that does not end, or a damaged file: that must not keep anybody from ending the container.
      if (!hasCode(error, 'database_busy', 'database_corrupt', 'database_unreadable')) throw error;
      return { claimed: undefined, waiting: ids };
    }
  }

  /** How often each waiting message was tried, by id; undefined where that cannot be read. */
  async countTries(session: Session): Promise<ReadonlyMap<string, number> | undefined> {
    try {
      const open = await this.#deps.mailbox.inbound(session.id, 'listOpen');
      return new Map(open.filter(isPending).map(({ id, tries }) => [id, tries]));
    } catch (error) {
      if (!(error instanceof BerthError)) throw error;
      return undefined;
    }
  }
}

/** Tells whether somebody waits for it; for context nobody does. */
export function isPending({ status }: OpenInbound): boolean {
  return status === 'pending';
}
