/** Finds the question that a message answers, and claims it for that message: nothing else answers it then. */
import { isoAt } from '../../shared/base/clock.js';
import type { InboundEvent } from '../channels/channel.js';
import { quoteQuestion } from '../sessions/question-ends.js';
import type { SystemIn } from '../../shared/protocol/session-message.js';
import { messageClaim, type StoredQuestion } from '../store/messages/questions.js';
import type { MessagingGroup } from '../store/messaging-groups.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import { maySpeak } from './decide-wiring.js';
import { matchAnswer, type Answer } from './match-answer.js';

export type FoundAnswer =
  /** It answers none, and is an ordinary message. */
  | { readonly kind: 'none' }
  | {
      readonly kind: 'found';
      readonly question: StoredQuestion;
      /** The one that asked. */
      readonly session: Session;
      readonly answer: Answer;
      readonly claim: string;
    }
  /** It names a question that it cannot answer. */
  | { readonly kind: 'refused'; readonly reason: string };

export function findAnswer(
  store: Store,
  chat: MessagingGroup,
  event: InboundEvent,
  nowMs: number,
): FoundAnswer {
  const { address, platformMessageId, answers, text, sender } = event;
  const said = { text, senderId: sender.id, threadId: address.threadId };
  const claim = messageClaim(platformMessageId);
  const now = isoAt(nowMs);
  for (const question of store.questions.listForChat(address.channelType, address.platformId)) {
    // Nobody can mean a question that was not said yet, unless it is named.
    if (answers === undefined ? question.saidAt === null : answers !== question.id) continue;
    if (question.expiresAt <= now && question.claimedBy !== claim) continue;
    const answer = matchAnswer(question, said, answers !== undefined);
    const session = store.sessions.find(question.sessionId);
    if (answer === undefined || session?.status !== 'active') continue;
    if (!isAdmitted(store, chat, session, sender.id)) continue;
    if (!store.questions.claim(question.id, claim)) continue;
    return { kind: 'found', question, session, answer, claim };
  }
  if (answers === undefined) return { kind: 'none' };
  return { kind: 'refused', reason: reasonOf(store, event, answers) };
}

/** The agent takes no answer of somebody whose messages it does not take. */
function isAdmitted(
  store: Store,
  chat: MessagingGroup,
  { agentGroupId }: Session,
  senderId: string,
): boolean {
  const wiring = store.wirings
    .listForMessagingGroup(chat.id)
    .find((one) => one.agentGroupId === agentGroupId);
  return wiring !== undefined && maySpeak(store, wiring, chat, senderId);
}

function reasonOf(store: Store, { sender, address }: InboundEvent, id: string): string {
  const question = store.questions.find(id);
  const isHere =
    question?.address.channelType === address.channelType &&
    question.address.platformId === address.platformId;
  if (question?.claimedBy !== null || !isHere) return 'that question is not open here';
  if (question.askedUser !== null && question.askedUser !== sender.id) {
    return 'that question is for somebody else';
  }
  return `that question has the answers ${question.options.join(', ')}`;
}

/** The row that tells the agent. */
export function answerRow(
  { id, text, messageOutId }: StoredQuestion,
  { option, text: said }: Answer,
  sender: InboundEvent['sender'],
): SystemIn {
  const answer = option ?? said;
  return {
    event: 'question.answered',
    text: `${sender.name ?? sender.id} answered ${quoteQuestion(text)} with: ${answer}`,
    action: 'ask_user_question',
    requestId: messageOutId,
    result: { questionId: id, option, text: said, by: { ...sender } },
  };
}
