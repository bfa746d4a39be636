/** Says why a message goes to nobody, and notes it: such a message leaves no other trace than this and its verdicts. */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import { toBerthError } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import type { MessagingGroup } from '../store/messaging-groups.js';
import type { Verdict } from '../store/messages/received-messages.js';
import type { Store } from '../store/store.js';

export interface RefusalsDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
}

export function reasonOf(verdicts: readonly Verdict[]): string {
  if (verdicts.length === 0) return 'no agent is wired to this chat';
  return verdicts.map(({ reason }) => reason).join('; ');
}

export class Refusals {
  readonly #deps: RefusalsDeps;

  constructor(deps: RefusalsDeps) {
    this.#deps = deps;
  }

  /**
   * Notes that nobody takes it, or that one who should have it has not; nothing where it goes its way. Belongs into the
   * transaction that notes the verdicts.
   */
  note(
    chat: MessagingGroup,
    messageId: string,
    {
      verdicts,
      missed,
    }: { readonly verdicts: readonly Verdict[]; readonly missed: readonly Verdict[] },
  ): void {
    if (missed.length > 0) this.#add(chat, messageId, reasonOf(missed));
    else if (verdicts.every(({ verdict }) => verdict === 'refused')) {
      this.#add(chat, messageId, reasonOf(verdicts));
    }
  }

  /** It was not accepted, and may be sent again. Never rejects. */
  async noteUntaken(chat: MessagingGroup, messageId: string, error: unknown): Promise<void> {
    const why = `it could not be taken: ${toBerthError(error).message}`;
    try {
      await this.#deps.store.transactionSoon(() => {
        this.#add(chat, messageId, why);
      });
    } catch (err) {
      this.#deps.log.warn({ err, messageId }, 'refused message not noted');
    }
  }

  #add(chat: MessagingGroup, messageId: string, why: string): void {
    const { store, clock } = this.#deps;
    const of = { sessionId: null, messagingGroupId: chat.id, messageId };
    store.events.add({ name: 'message.refused', ...of, detail: { why } }, isoAt(clock.now()));
  }
}

export function isContextOnly(verdicts: readonly Verdict[]): boolean {
  return !verdicts.some(({ verdict }) => verdict === 'engaged');
}
