/** Puts a message into the session that it belongs to. */
import type { Clock } from '../../shared/base/clock.js';
import { hasCode, type BerthError } from '../../shared/base/errors.js';
import type { InboundContent, SystemIn } from '../../shared/protocol/session-message.js';
import type { InboundEvent } from '../channels/channel.js';
import type { InboxFiles } from '../sessions/inbox-files.js';
import type { Mailbox } from '../sessions/mailbox/mailbox.js';
import { messageRow } from '../sessions/mailbox/message-row.js';
import { sessionKeyFor } from '../sessions/session-key.js';
import type { SessionRegistry } from '../sessions/session-registry.js';
import type { Session } from '../store/sessions.js';
import type { Wiring } from '../store/wirings.js';
import type { WiringRules } from './wiring-rules.js';

export interface SessionPosterDeps {
  readonly sessions: SessionRegistry;
  readonly mailbox: Mailbox;
  readonly inboxFiles: InboxFiles;
  readonly clock: Clock;
  /** A session's files cannot be used. True: the session was quarantined. False: that may pass. */
  readonly onDamaged: (sessionId: string, error: BerthError) => boolean;
}

/** Where a message is on disk. */
export interface Written {
  readonly sessionId: string;
  /** False: it was there already. */
  readonly isNew: boolean;
}

/** The decision of a wiring about a message. */
export interface Post {
  readonly messageId: string;
  readonly kind: 'engaged' | 'context';
  /** The agent was addressed by name, or nobody else is in the chat. */
  readonly isAddressed: boolean;
}

export class SessionPoster {
  readonly #deps: SessionPosterDeps;

  constructor(deps: SessionPosterDeps) {
    this.#deps = deps;
  }

  /** Resolves when the message is queued; `written` when it is on disk. */
  async post(
    rules: WiringRules,
    wiring: Wiring,
    event: InboundEvent,
    post: Post,
  ): Promise<{ readonly written: Promise<Written> }> {
    const { sessions, onDamaged } = this.#deps;
    const key = sessionKeyFor(rules.mode, {
      agentGroupId: wiring.agentGroupId,
      messagingGroupId: wiring.messagingGroupId,
      threadId: event.address.threadId,
    });
    const session = sessions.ensure(key);
    const { written } = await this.#queue(session, event, post);
    const recovered = written.catch(async (error: unknown) => {
      if (!hasCode(error, 'database_corrupt', 'database_missing', 'database_unreadable'))
        throw error;
      // It could not be repaired. That must not close the chat: it is quarantined, and the next one takes over.
      if (!onDamaged(session.id, error)) throw error;
      const next = sessions.ensure(key);
      const { written: again } = await this.#queue(next, event, post);
      return await again;
    });
    return { written: recovered };
  }

  /** An answer belongs to the session that asked, and to no other that takes its place. */
  postAnswer(
    session: Session,
    event: InboundEvent,
    { messageId, system }: { readonly messageId: string; readonly system: SystemIn },
  ): Promise<Written> {
    return this.#append(session, event, {
      id: messageId,
      status: 'pending',
      content: { kind: 'system', system },
    });
  }

  async #queue(
    session: Session,
    event: InboundEvent,
    { messageId, kind, isAddressed }: Post,
  ): Promise<{ readonly written: Promise<Written> }> {
    const { inboxFiles } = this.#deps;
    const attachments = await inboxFiles.take(session.id, messageId, event.files ?? []);
    const content: InboundContent = {
      kind: 'chat',
      chat: {
        text: event.text,
        sender: event.sender,
        mentioned: isAddressed,
        ...(event.replyTo === undefined ? {} : { replyTo: event.replyTo }),
        attachments: [...attachments],
      },
    };
    const status = kind === 'engaged' ? 'pending' : 'context';
    return { written: this.#append(session, event, { id: messageId, status, content }) };
  }

  async #append(
    session: Session,
    { address }: InboundEvent,
    {
      id,
      status,
      content,
    }: {
      readonly id: string;
      readonly status: 'pending' | 'context';
      readonly content: InboundContent;
    },
  ): Promise<Written> {
    const { mailbox, sessions, clock } = this.#deps;
    const isNew = await mailbox.post(session.id, {
      routing: address,
      ...sessions.projectionOf(session),
      row: messageRow({
        id,
        nowMs: clock.now(),
        status,
        address,
        content,
      }),
    });
    return { sessionId: session.id, isNew };
  }
}
