/** Takes the answers of an agent to the agent that asked, as any channel takes them to a chat. */
import { hasCode, toBerthError } from '../../../shared/base/errors.js';
import type { ChannelPort, OutboundEvent, SendOutcome } from '../../channels/channel.js';
import { agentChannelType, askerOf } from '../../sessions/agent-conversation.js';
import type { Store } from '../../store/store.js';
import type { AgentMail } from './agent-mail.js';

export interface AgentChannelDeps {
  readonly store: Store;
  readonly mail: AgentMail;
}

/** When an answer beyond the number of an hour is tried again, in milliseconds. */
const untilSeldomMs = 3_600_000;

export class AgentChannel implements ChannelPort {
  readonly id = agentChannelType;
  readonly sendsAreIdempotent = true;
  readonly wiresItself = false;
  readonly #deps: AgentChannelDeps;

  constructor(deps: AgentChannelDeps) {
    this.#deps = deps;
  }

  async send({ address, messageId, inReplyTo, chat, files }: OutboundEvent): Promise<SendOutcome> {
    if (chat.operation !== 'post') return refusal('an agent reads new messages only');
    const { store, mail } = this.#deps;
    const worker = store.sessions.find(address.threadId ?? '');
    if (worker === undefined || askerOf(worker) !== address.platformId) {
      return refusal('there is no such conversation of agents');
    }
    try {
      await mail.answer(worker, { messageOutId: messageId, inReplyTo, text: chat.text, files });
      return { kind: 'sent', platformMessageId: null };
    } catch (error) {
      const { message } = toBerthError(error);
      if (hasCode(error, 'invalid_input')) {
        return { ...refusal(message), retryable: true, retryAfterMs: untilSeldomMs };
      }
      if (hasCode(error, 'not_found')) return refusal(message);
      return { kind: 'failed', reason: message, retryable: true };
    }
  }

  settled(): void {
    // An agent that asked is told by the answer.
  }
}

function refusal(reason: string): Extract<SendOutcome, { kind: 'failed' }> {
  return { kind: 'failed', reason, retryable: false };
}
