/** Says of a message that came again what became of it. */
import type { Logger } from '../../shared/base/logger.js';
import type { InboundStatus } from '../../shared/protocol/session-message.js';
import type { InboundOutcome } from '../channels/channel.js';
import type { Mailbox } from '../sessions/mailbox/mailbox.js';
import type { ReceivedMessage } from '../store/messages/received-messages.js';
import type { Store } from '../store/store.js';
import { isContextOnly } from './refusals.js';

export interface DuplicatesDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  /** Resolves when what this session has said is sent, as far as that can be done now. */
  readonly deliver: (sessionId: string) => Promise<void>;
  readonly log: Logger;
}

export class Duplicates {
  readonly #deps: DuplicatesDeps;

  constructor(deps: DuplicatesDeps) {
    this.#deps = deps;
  }

  async describe(known: ReceivedMessage): Promise<InboundOutcome> {
    const { messageId, verdicts } = known;
    if (verdicts.every(({ verdict }) => verdict === 'refused')) {
      return { kind: 'refused', reason: 'it was refused before' };
    }
    const statuses: (InboundStatus | undefined)[] = [];
    for (const { verdict, sessionId } of verdicts) {
      if (verdict !== 'engaged' || sessionId === undefined) continue;
      statuses.push(await this.#findStatus(sessionId, messageId));
    }
    const isSettled = statuses.every((status) => status === 'completed' || status === 'failed');
    const duplicate = {
      kind: 'duplicate',
      messageId,
      contextOnly: isContextOnly(verdicts),
    } as const;
    if (!isSettled || duplicate.contextOnly) return duplicate;
    const status = statuses.includes('failed') ? 'failed' : 'completed';
    return { ...duplicate, settled: this.#deliverKept(known).then(() => status) };
  }

  /** A person who asks again may have received nothing yet: the answer comes before the word that it was the last. */
  async #deliverKept({ messageId, verdicts }: ReceivedMessage): Promise<void> {
    for (const { sessionId } of verdicts) {
      if (sessionId === undefined) continue;
      await this.#deps.deliver(sessionId).catch((err: unknown) => {
        this.#deps.log.warn({ messageId, sessionId, err }, 'kept replies not delivered');
      });
    }
  }

  /** No answer will follow from a conversation that was deleted, nor where the message was lost with a damaged file. */
  async #findStatus(sessionId: string, messageId: string): Promise<InboundStatus | undefined> {
    const { store, mailbox } = this.#deps;
    if (store.sessions.find(sessionId) === undefined) return 'completed';
    const status = await mailbox.findStatus(sessionId, messageId);
    if (status !== undefined) return status;
    const isGivenUp = store.deadLetters.find({ sessionId, direction: 'in', messageId });
    return isGivenUp === undefined ? undefined : 'failed';
  }
}
