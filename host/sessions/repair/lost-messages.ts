/** Which messages a session had taken, and no file tells of any more. */
import { isoAt } from '../../../shared/base/clock.js';
import type { Address } from '../../../shared/protocol/session-message.js';
import { readContainerConfig } from '../../store/container-config.js';
import type { ReceivedMessage } from '../../store/messages/received-messages.js';
import type { Session } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';
import type { RepairDeps } from './repair-deps.js';

export interface LostMessage {
  readonly messageId: string;
  readonly receivedAt: string;
  readonly address: Address;
}

const dayMs = 86_400_000;
/** No message stays open for longer. */
const longestOpenDays = 30;
/** Without the acks nothing tells the answered from the lost: only what is young is taken for lost. */
const withoutAcksMs = 3_600_000;
const pageSize = 200;

/** Chat by chat, the oldest first. `draft`: the fresh inbound.db. `hasAllAcks`: outbound.db tells what was answered. */
export async function findLostMessages(
  { store, clock, mailbox, inboundFiles }: RepairDeps,
  session: Session,
  draft: string,
  hasAllAcks: boolean,
): Promise<readonly LostMessage[]> {
  // While a message is open, its session is due.
  if (store.dueItems.find(session.id, 'wake') === undefined) return [];
  const since = isoAt(clock.now() - (hasAllAcks ? ackedForMs(store, session) : withoutAcksMs));
  const lost: LostMessage[] = [];
  for (const page of takenSince(store, session, since)) {
    const ids = page.map(({ messageId }) => messageId);
    const acks = await mailbox.outbound(session.id, 'findAcks', ids);
    for (const message of page) {
      const { messageId } = message;
      const status = await inboundFiles.call(draft, 'findStatus', [messageId]);
      const isAnswered = acks.get(messageId)?.status === 'completed';
      const letter = { sessionId: session.id, direction: 'in', messageId } as const;
      const isGivenUp = store.deadLetters.find(letter) !== undefined;
      if (status === undefined && !isAnswered && !isGivenUp) lost.push(message);
    }
  }
  return lost;
}

/** Acks are kept for keepMessagesDays only. */
function ackedForMs(store: Store, { agentGroupId }: Session): number {
  const group = store.agentGroups.find(agentGroupId);
  const { keepMessagesDays } = readContainerConfig(group?.containerConfig ?? null);
  return Math.min(longestOpenDays, keepMessagesDays) * dayMs;
}

function* takenSince(
  store: Store,
  session: Session,
  since: string,
): Generator<readonly LostMessage[]> {
  for (const chatId of chatsOf(store, session)) {
    const chat = store.messagingGroups.find(chatId);
    if (chat === undefined) continue;
    const { channelType, platformId } = chat;
    const address = { channelType, platformId, threadId: session.threadId };
    for (let after: { receivedAt: string; rowid: number } = { receivedAt: since, rowid: -1 }; ;) {
      const page = store.received.listAfter(chatId, after, pageSize);
      yield page
        .filter((message) => wasTakenBy(message, session.id))
        .map(({ messageId, receivedAt }) => ({ messageId, receivedAt, address }));
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) break;
      after = last;
    }
  }
}

function chatsOf(store: Store, { messagingGroupId, agentGroupId }: Session): ReadonlySet<string> {
  if (messagingGroupId !== null) return new Set([messagingGroupId]);
  const wirings = store.wirings.listForAgentGroup(agentGroupId);
  return new Set(wirings.map((wiring) => wiring.messagingGroupId));
}

function wasTakenBy({ verdicts }: ReceivedMessage, sessionId: string): boolean {
  return verdicts.some(
    (verdict) => verdict.verdict === 'engaged' && verdict.sessionId === sessionId,
  );
}
