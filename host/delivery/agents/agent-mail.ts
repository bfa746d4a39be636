/**
 * Puts what an agent says to another one into that one's session. A message has the same id however often it is sent, and
 * what is noted about it in central.db is one transaction.
 */
import { isoAt, type Clock } from '../../../shared/base/clock.js';
import { BerthError, hasCode } from '../../../shared/base/errors.js';
import { idFrom } from '../../../shared/base/ids.js';
import { Deadline } from '../../../shared/base/lifecycle.js';
import type { Logger } from '../../../shared/base/logger.js';
import type { OutboundFile } from '../../channels/channel.js';
import { askerOf, workerKey } from '../../sessions/agent-conversation.js';
import type { InboxFiles } from '../../sessions/inbox-files.js';
import type { Mailbox } from '../../sessions/mailbox/mailbox.js';
import { messageRow } from '../../sessions/mailbox/message-row.js';
import type { Nudges } from '../../sessions/nudges.js';
import type { SessionRecovery } from '../../sessions/repair/session-recovery.js';
import type { SessionRegistry } from '../../sessions/session-registry.js';
import type { Session } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';

export interface AgentMailDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly sessions: SessionRegistry;
  readonly inboxFiles: InboxFiles;
  readonly recovery: Pick<SessionRecovery, 'abandon'>;
  readonly nudges: Pick<Nudges, 'container'>;
  /** How long a write to the session of another agent may hold up the one that says something, in milliseconds. */
  readonly writeWaitMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A message of one agent to another. */
export interface AgentNote {
  /** The messages_out row that says it. */
  readonly messageOutId: string;
  /** The messages_in row that its agent was answering. */
  readonly inReplyTo: string | null;
  readonly text: string;
  readonly files: readonly OutboundFile[];
}

/** Of one session to another. */
const mostPerHour = 30;
const hourMs = 3_600_000;
/** Agents that ask agents that ask agents come to an end. */
const mostHops = 8;

export class AgentMail {
  readonly #deps: AgentMailDeps;

  constructor(deps: AgentMailDeps) {
    this.#deps = deps;
  }

  /**
   * Asks the agents of a group, in their session for the one that asks. `alongside` is called in the transaction that
   * notes it. Throws invalid_input where it may not be sent, and
   * database_busy where that cannot be done now.
   */
  async ask(
    from: Session,
    agentGroupId: string,
    note: AgentNote,
    alongside: () => void,
  ): Promise<void> {
    const hops = this.#hopsOf(from, note) + 1;
    if (hops > mostHops) {
      throw new BerthError('invalid_input', `This has gone through ${mostHops} agents already.`, {
        next: 'Answer with what you know.',
      });
    }
    const key = workerKey(agentGroupId, from.id);
    await this.#post(from, () => this.#deps.sessions.ensure(key), { ...note, hops, alongside });
  }

  /** Takes the answer of an agent to the session that it works for. Throws not_found where that has ended. */
  async answer(worker: Session, note: AgentNote): Promise<void> {
    const { store } = this.#deps;
    const find = (): Session => {
      const asker = store.sessions.find(askerOf(worker) ?? '');
      if (asker?.status === 'active') return asker;
      throw new BerthError('not_found', 'the conversation that asked has ended');
    };
    const hops = this.#hopsOf(worker, note) + 1;
    await this.#post(worker, find, { ...note, hops, alongside: () => undefined });
  }

  /** The word of a container only makes the number greater. */
  #hopsOf(session: Session, { inReplyTo }: AgentNote): number {
    const { store } = this.#deps;
    const answered = inReplyTo === null ? undefined : store.agentMessages.find(inReplyTo);
    const claimed = answered?.toSessionId === session.id ? answered.hops : 0;
    let depth = 0;
    for (let asker = askerOf(session); asker !== undefined && depth <= mostHops; depth += 1) {
      const next = store.sessions.find(asker);
      asker = next === undefined ? undefined : askerOf(next);
    }
    return Math.max(claimed, depth);
  }

  async #post(
    from: Session,
    findTo: () => Session,
    note: AgentNote & { readonly hops: number; readonly alongside: () => void },
  ): Promise<void> {
    const { store, clock, nudges, log } = this.#deps;
    const id = idFrom('m', from.id, note.messageOutId);
    this.#assertSeldom(from, findTo(), id);
    const to = await this.#write(from, findTo, { id, ...note });
    const createdAt = isoAt(clock.now());
    const { messageOutId, hops } = note;
    store.transaction(() => {
      const [fromSessionId, toSessionId] = [from.id, to.id];
      store.agentMessages.insert({ id, fromSessionId, toSessionId, messageOutId, hops, createdAt });
      store.sessions.touch(to.id, createdAt);
      store.dueItems.advance(to.id, 'wake', createdAt);
      note.alongside();
    });
    log.info({ sessionId: to.id, from: from.id, messageId: id, hops }, 'agent message written');
    nudges.container(to.id);
  }

  #assertSeldom(from: Session, to: Session, id: string): void {
    const { store, clock } = this.#deps;
    if (store.agentMessages.find(id) !== undefined) return;
    const since = isoAt(clock.now() - hourMs);
    if (store.agentMessages.countSince(from.id, to.id, since) < mostPerHour) return;
    throw new BerthError('invalid_input', `${mostPerHour} messages an hour go to one agent.`, {
      next: 'Wait, or say several things in one message.',
    });
  }

  /**
   * Returns the session that has it. The files of one session hold nobody else up: where they take long, or are damaged,
   * this is busy, and the message waits for the next pass.
   */
  async #write(
    from: Session,
    findTo: () => Session,
    message: AgentNote & { readonly id: string; readonly hops: number },
  ): Promise<Session> {
    const to = findTo();
    const written = this.#writeTo(to, from, message).catch((error: unknown) => {
      throw this.#asBusy(to, error);
    });
    const ended = await new Deadline(this.#deps.writeWaitMs).wait(written);
    if (ended === 'late') throw busy(undefined);
    await written;
    return to;
  }

  /** Trouble with the files of one session must not be taken for trouble with those of another. */
  #asBusy(to: Session, error: unknown): unknown {
    if (hasCode(error, 'database_busy')) return busy(error);
    if (!hasCode(error, 'database_corrupt', 'database_missing', 'database_unreadable'))
      return error;
    // It could not be repaired: the next try goes to a session that takes its place.
    this.#deps.recovery.abandon(to.id, error);
    return busy(error);
  }

  async #writeTo(
    to: Session,
    from: Session,
    {
      id,
      text,
      files,
      hops,
      inReplyTo,
    }: AgentNote & { readonly id: string; readonly hops: number },
  ): Promise<void> {
    const { store, mailbox, sessions, inboxFiles, clock } = this.#deps;
    const projection = sessions.projectionOf(to);
    const agentGroup = store.agentGroups.find(from.agentGroupId);
    const asked = inReplyTo === null ? undefined : store.agentMessages.find(inReplyTo);
    const isOwn = asked?.fromSessionId === to.id && asked.toSessionId === from.id;
    const attachments = await inboxFiles.take(to.id, id, files);
    await mailbox.post(to.id, {
      ...projection,
      row: messageRow({
        id,
        nowMs: clock.now(),
        status: 'pending',
        address: projection.routing ?? null,
        content: {
          kind: 'chat',
          chat: {
            text,
            sender: {
              id: `agent:${from.agentGroupId}`,
              ...(agentGroup === undefined ? {} : { name: agentGroup.name }),
            },
            mentioned: true,
            attachments: [...attachments],
            hops,
            ...(isOwn ? { replyTo: asked.messageOutId } : {}),
          },
        },
      }),
    });
  }
}

function busy(cause: unknown): BerthError {
  const message = 'the session of the other agent cannot be written to now';
  return new BerthError('database_busy', message, { cause });
}
