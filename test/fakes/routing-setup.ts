import { randomUUID } from 'node:crypto';
import { Router } from '../../host/routing/router.js';
import type { InboundEvent } from '../../host/channels/channel.js';
import { InboxFiles } from '../../host/sessions/inbox-files.js';
import { SessionRegistry } from '../../host/sessions/session-registry.js';
import { nudgesWith } from './nudges.js';
import { TempHome } from './temp-home.js';

/** A router on real files; remembers what it told its neighbours. */
export class RoutingSetup extends TempHome {
  readonly posted: string[] = [];
  readonly damaged: string[] = [];
  /** Called when a session is said to have a message. */
  whenPosted: () => void = () => undefined;
  readonly sessions = new SessionRegistry(this);
  readonly router = new Router({
    store: this.store,
    sessions: this.sessions,
    mailbox: this.mailbox,
    inboxFiles: new InboxFiles(this.folders),
    clock: this.clock,
    newId: this.newId,
    log: this.log,
    defaultAgentFolder: 'main',
    wiresItself: (type) => type === 'open',
    onDamaged: (sessionId, { message }) => {
      this.damaged.push(sessionId);
      this.sessions.quarantine(sessionId, message);
      return true;
    },
    deliver: () => Promise.resolve(),
    nudges: nudgesWith({
      container: (sessionId) => {
        this.posted.push(sessionId);
        this.whenPosted();
      },
    }),
  });

  /** A message of its own from a chat of the `fake` channel. */
  event(text: string, fields: Partial<InboundEvent> & { platformId?: string } = {}): InboundEvent {
    const { platformId = 'chat-1', ...rest } = fields;
    return {
      address: { channelType: 'fake', platformId, threadId: null },
      platformMessageId: randomUUID(),
      sender: { id: 'user-1' },
      text,
      isGroup: false,
      isMention: false,
      ...rest,
    };
  }

  /** The texts in a session, in their order. */
  texts(sessionId: string): readonly string[] {
    return this.messagesIn(sessionId).map(
      ({ content }) => (JSON.parse(content) as { text: string }).text,
    );
  }

  /** The sessions of an agent group, the oldest first. */
  sessionsOf(agentGroupId: string): readonly string[] {
    return this.central((db) =>
      db
        .prepare<[string], string>('SELECT id FROM sessions WHERE agent_group_id = ? ORDER BY id')
        .pluck()
        .all(agentGroupId),
    );
  }

  receivedRows(): readonly { platform_message_id: string; verdicts: string }[] {
    return this.central((db) =>
      db
        .prepare<[], { platform_message_id: string; verdicts: string }>(
          'SELECT platform_message_id, verdicts FROM received_messages ORDER BY rowid',
        )
        .all(),
    );
  }
}
