/**
 * Makes the row of a session again from its folder. All of it is one transaction of central.db, after what is written to
 * files: done again after a crash, it comes to the same.
 */
import { isoAt, type Clock } from '../../../shared/base/clock.js';
import type { NewId } from '../../../shared/base/ids.js';
import type { Logger } from '../../../shared/base/logger.js';
import type { Address } from '../../../shared/protocol/session-message.js';
import { settingsKey } from '../../store/agent-groups.js';
import { messagingGroupIdFor, type MessagingGroup } from '../../store/messaging-groups.js';
import type { Session, SessionKey } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';
import { openWiring } from '../../store/wirings.js';
import type { Mailbox } from '../mailbox/mailbox.js';
import { isPending } from '../mailbox/open-work.js';
import type { SessionFolders } from '../session-folder.js';
import { sessionKeyFor } from '../session-key.js';
import { SessionLifecycle } from '../session-lifecycle.js';
import type { SessionRegistry } from '../session-registry.js';
import { agentChannelType, workerKey } from '../agent-conversation.js';
import { readFolderFacts } from './folder-facts.js';
import { madeAtMs } from './made-at.js';
import { planAdoption, type AdoptionPlan, type KnownWorld } from './plan-adoption.js';
import { moveTasks, readFoundTasks, type FoundTask } from './found-tasks.js';

export interface AdoptFolderDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly folders: SessionFolders;
  readonly sessions: SessionRegistry;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly log: Logger;
  /** The agent group that answers chats which wire themselves. */
  readonly defaultAgentFolder: string;
  readonly wiresItself: (channelType: string) => boolean;
}

export type FolderOutcome =
  | {
      /** `closed`: its conversation has another active session. */
      readonly kind: 'adopted' | 'closed';
      /** `channel:id` of its chat, where no agent is wired to that. */
      readonly unwired: string | undefined;
    }
  | { readonly kind: 'empty' }
  | Extract<AdoptionPlan, { kind: 'refuse' }>;

type Adopted = Extract<AdoptionPlan, { kind: 'adopt' }>;
type EmptyPlan = Extract<AdoptionPlan, { kind: 'empty' }>;

/** Throws what may pass by itself, as a locked file: then nothing was changed. */
export async function adoptFolder(
  deps: AdoptFolderDeps,
  sessionId: string,
): Promise<FolderOutcome> {
  const facts = await readFolderFacts(deps, sessionId);
  const plan = planAdoption(facts, worldFor(deps, facts.inbound?.routing ?? null));
  switch (plan.kind) {
    case 'refuse':
      return plan;
    case 'empty':
      await takeEmpty(deps, sessionId, plan);
      return { kind: 'empty' };
    case 'adopt':
      return await adopt(deps, sessionId, plan);
  }
}

function worldFor(deps: AdoptFolderDeps, address: Address | null): KnownWorld {
  const { store, defaultAgentFolder, wiresItself } = deps;
  const chat = address === null ? undefined : findChat(store, address);
  const isWiredByItself = address !== null && wiresItself(address.channelType);
  return {
    agentGroups: store.agentGroups.list(),
    wirings: chat === undefined ? [] : store.wirings.listForMessagingGroup(chat.id),
    defaultAgentGroup: isWiredByItself
      ? store.agentGroups.findByFolder(defaultAgentFolder)
      : undefined,
  };
}

/** The session waits for a conversation again; the prewarmed pool takes it away where it is not wanted. */
async function takeEmpty(
  { store, mailbox, folders, clock, log }: AdoptFolderDeps,
  sessionId: string,
  { agentGroup }: EmptyPlan,
): Promise<void> {
  if (agentGroup === undefined) {
    await folders.remove(sessionId);
    log.info({ sessionId }, 'folder of an empty session removed');
    return;
  }
  await mailbox.ensure(sessionId);
  const session: Session = { ...newRow(sessionId, agentGroup.id, clock), status: 'warm' };
  new SessionLifecycle({ store, clock }).adopt(session, settingsKey(agentGroup));
}

async function adopt(
  deps: AdoptFolderDeps,
  sessionId: string,
  plan: Adopted,
): Promise<FolderOutcome> {
  const { store, mailbox, clock, log } = deps;
  const open = await mailbox.inbound(sessionId, 'listOpen');
  const tasks = await readFoundTasks(mailbox, sessionId, open);
  const key = keyOf(store, plan);
  const present = store.sessions.findActive(key);
  if (present !== undefined) await moveTasks(deps, { from: sessionId, to: present, tasks });
  const now = isoAt(clock.now());
  const lastActive = plan.lastAt === null || plan.lastAt > now ? now : plan.lastAt;
  const session: Session = {
    ...newRow(sessionId, plan.agentGroup.id, clock),
    ...key,
    lastActive,
    ...(present === undefined
      ? {}
      : { status: 'closed', statusReason: `its conversation has the session ${present.id}` }),
  };
  store.transaction(() => {
    ensureChat(deps, plan);
    new SessionLifecycle({ store, clock }).adopt(session);
    // Whatever it has said and nobody has sent; what is open is compared with what was answered on the way.
    store.dueItems.advance(sessionId, 'deliver', now);
    if (present !== undefined) return;
    noteTasks(store, session, tasks);
    const due = open.filter(isPending).map(({ processAfter }) => processAfter ?? now);
    const earliest = due.sort()[0];
    if (earliest !== undefined) store.dueItems.advance(sessionId, 'wake', earliest);
  });
  log.warn(
    { sessionId, status: session.status, open: open.length },
    'session adopted from its folder',
  );
  const isWired = store.wirings
    .listForAgentGroup(plan.agentGroup.id)
    .some(({ messagingGroupId }) => messagingGroupId === findChat(store, plan.address)?.id);
  const { channelType, platformId } = plan.address;
  return {
    kind: present === undefined ? 'adopted' : 'closed',
    unwired:
      isWired || channelType === agentChannelType ? undefined : `${channelType}:${platformId}`,
  };
}

/** The container is taken for one that runs: it is found then, or what it has left is settled. */
function newRow(sessionId: string, agentGroupId: string, clock: Clock): Session {
  return {
    id: sessionId,
    agentGroupId,
    messagingGroupId: null,
    threadId: null,
    provider: null,
    status: 'active',
    statusReason: null,
    containerStatus: 'starting',
    lastActive: null,
    createdAt: isoAt(madeAtMs(sessionId) ?? clock.now()),
  };
}

function keyOf(store: Store, { agentGroup, mode, address }: Adopted): SessionKey {
  const { channelType, platformId, threadId } = address;
  if (channelType === agentChannelType) return workerKey(agentGroup.id, platformId);
  const messagingGroupId =
    findChat(store, address)?.id ?? messagingGroupIdFor(channelType, platformId);
  return sessionKeyFor(mode, { agentGroupId: agentGroup.id, messagingGroupId, threadId });
}

/** As the router does with a chat that is new: only what wires itself is wired, and only to its own agent. */
function ensureChat(deps: AdoptFolderDeps, { agentGroup, address }: Adopted): void {
  const { store, clock, newId, defaultAgentFolder, wiresItself } = deps;
  if (address.channelType === agentChannelType || findChat(store, address) !== undefined) return;
  const { channelType, platformId } = address;
  const createdAt = isoAt(clock.now());
  const chat: MessagingGroup = {
    id: messagingGroupIdFor(channelType, platformId),
    channelType,
    platformId,
    name: null,
    isGroup: false,
    adminUserId: null,
    timeZone: null,
    createdAt,
  };
  store.messagingGroups.insert(chat);
  if (!wiresItself(channelType) || agentGroup.folder !== defaultAgentFolder) return;
  const of = { messagingGroupId: chat.id, agentGroupId: agentGroup.id };
  store.wirings.insert(openWiring({ id: newId('w'), ...of, createdAt }));
}

function noteTasks(store: Store, session: Session, tasks: readonly FoundTask[]): void {
  for (const { task, address } of tasks) {
    const chat = address === null ? undefined : findChat(store, address);
    const messagingGroupId = chat?.id ?? session.messagingGroupId;
    store.tasks.set({ ...task, sessionId: session.id, messagingGroupId });
  }
}

function findChat(store: Store, { channelType, platformId }: Address): MessagingGroup | undefined {
  return store.messagingGroups.findByPlatform(channelType, platformId);
}
