/** Which messages a session had taken, and no file tells of any more. */
import { isoAt, type Clock } from '../../../shared/base/clock.js';
import type { Address } from '../../../shared/protocol/session-message.js';
import { readContainerConfig } from '../../store/container-config.js';
import type { MessagingGroup } from '../../store/messaging-groups.js';
import type { ReceivedMessage } from '../../store/received-messages.js';
import type { Session } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';
import type { Mailbox } from '../mailbox/mailbox.js';

export interface LostMessagesDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly clock: Clock;
}

export interface LostMessage {
  readonly messageId: string;
  readonly receivedAt: string;
  readonly address: Address;
}

export interface Saved {
  has(messageId: string): boolean;
}

const dayMs = 86_400_000;
/** No message stays open for longer. */
const longestOpenDays = 30;
/** Without the acks nothing tells the answered from the lost: only what is young is taken for lost. */
const withoutAcksMs = 3_600_000;
const pageSize = 200;

/** The oldest first. `hasAllAcks`: outbound.db tells what was answered. */
export async function findLostMessages(
  deps: LostMessagesDeps,
  session: Session,
  saved: Saved,
  hasAllAcks: boolean,
): Promise<readonly LostMessage[]> {
  const { store } = deps;
  // While a message is open, its session is due.
  if (store.dueItems.find(session.id, 'wake') === undefined) return [];
  const buried = new Set(
    store.deadLetters
      .listForSession(session.id)
      .flatMap(({ direction, messageId }) => (direction === 'in' ? [messageId] : [])),
  );
  const lost: LostMessage[] = [];
  for (const chat of chatsOf(store, session)) {
    const since = searchFrom(deps, session, hasAllAcks);
    for await (const taken of takenBy(deps, session, chat, since)) {
      const missing = taken.filter(
        ({ messageId }) => !saved.has(messageId) && !buried.has(messageId),
      );
      lost.push(...(await withoutAnswered(deps, session, missing)));
    }
  }
  return lost.sort((a, b) => (a.receivedAt < b.receivedAt ? -1 : 1));
}

function chatsOf(
  store: Store,
  { messagingGroupId, agentGroupId }: Session,
): readonly MessagingGroup[] {
  const ids =
    messagingGroupId === null
      ? store.wirings.listForAgentGroup(agentGroupId).map((wiring) => wiring.messagingGroupId)
      : [messagingGroupId];
  return [...new Set(ids)].flatMap((id) => store.messagingGroups.find(id) ?? []);
}

/** ISO-8601. Acks are kept for keepMessagesDays only. */
function searchFrom(
  { store, clock }: LostMessagesDeps,
  session: Session,
  hasAllAcks: boolean,
): string {
  const group = store.agentGroups.find(session.agentGroupId);
  const { keepMessagesDays } = readContainerConfig(group?.containerConfig ?? null);
  const days = Math.min(longestOpenDays, keepMessagesDays);
  const from = isoAt(clock.now() - (hasAllAcks ? days * dayMs : withoutAcksMs));
  return from > session.createdAt ? from : session.createdAt;
}

async function* takenBy(
  { store }: LostMessagesDeps,
  session: Session,
  { id, channelType, platformId }: MessagingGroup,
  since: string,
): AsyncGenerator<readonly LostMessage[]> {
  const address = { channelType, platformId, threadId: session.threadId };
  for (let after: { receivedAt: string; rowid: number } = { receivedAt: since, rowid: -1 }; ;) {
    const page = store.received.listAfter(id, after, pageSize);
    yield page
      .filter((message) => wasTakenBy(message, session.id))
      .map(({ messageId, receivedAt }) => ({ messageId, receivedAt, address }));
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return;
    after = last;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function wasTakenBy({ verdicts }: ReceivedMessage, sessionId: string): boolean {
  return verdicts.some(
    (verdict) => verdict.verdict === 'engaged' && verdict.sessionId === sessionId,
  );
}

async function withoutAnswered(
  { mailbox }: LostMessagesDeps,
  session: Session,
  messages: readonly LostMessage[],
): Promise<readonly LostMessage[]> {
  if (messages.length === 0) return [];
  const ids = messages.map(({ messageId }) => messageId);
  const acks = await mailbox.outbound(session.id, 'findAcks', ids);
  return messages.filter(({ messageId }) => acks.get(messageId)?.status !== 'completed');
}
