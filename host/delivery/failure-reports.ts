/**
 * Tells everybody who must know of a message that will not be delivered: the operator through a dead letter, the agent
 * through its inbound.db, and the person who waits through a notice. Told before the row is final: after a crash in
 * between the same is told again, and known by its id.
 */
import { isoAt, type Clock } from '../../shared/base/clock.js';
import { cutText } from '../../shared/base/cut-text.js';
import type { Logger } from '../../shared/base/logger.js';
import type { OutboundRow } from '../../shared/protocol/mailbox/outbound-reader.js';
import { parseOutboundContent } from '../../shared/protocol/session-message.js';
import { recordDeadLetter } from '../sessions/dead-letter-record.js';
import type { Mailbox } from '../sessions/mailbox/mailbox.js';
import { messageRow } from '../sessions/mailbox/message-row.js';
import type { Nudges } from '../sessions/nudges.js';
import type { DeadLetter } from '../store/messages/dead-letters.js';
import type { Session } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import { RefusalCounter, type RefusalBurst } from './refusal-counter.js';
import type { Undelivered } from './undelivered.js';

export interface FailureReportsDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nudges: Pick<Nudges, 'notices'>;
}

/** In characters: platforms and agents say all sorts of things. */
const longestReason = 500;
const longestBurstReason = 300;
const longestQuote = 200;

export class FailureReports {
  readonly #deps: FailureReportsDeps;
  readonly #counter = new RefusalCounter();

  constructor(deps: FailureReportsDeps) {
    this.#deps = deps;
  }

  async report(session: Session, failures: readonly Undelivered[]): Promise<void> {
    await Promise.all(failures.map((failure) => this.#reportOne(session, failure)));
  }

  /** Rows that were not even tried. A flood of them is told as a number: in one dead letter, and to the agent once. */
  async reportRefusals(session: Session, refusals: readonly Undelivered[]): Promise<void> {
    const { store, clock } = this.#deps;
    const { alone, bursts } = this.#counter.take(session.id, refusals, clock.now());
    await this.report(session, alone);
    for (const burst of bursts) await this.#reportBurst(session, burst);
    if (bursts.length === 0) return;
    store.transaction(() => {
      for (const { row } of refusals) store.deliveryRetries.clear(session.id, row.id);
    });
  }

  /** Logs how many were given up together. */
  logBursts(session: Session): void {
    for (const { first, count } of this.#counter.listGrown(session.id)) {
      const reason = cutText(first.reason, longestReason);
      this.#deps.log.error({ sessionId: session.id, count, reason }, 'many deliveries given up');
    }
  }

  async #reportBurst(session: Session, burst: RefusalBurst): Promise<void> {
    const { first, count } = burst;
    const why = cutText(first.reason, longestBurstReason);
    const reason = `${why} (one of ${count} that are not listed one by one)`;
    const letter = this.#recordDeadLetter(session, { ...first, reason });
    if (burst.isTold) return;
    const text = `Your message ${quote(first.row)} could not be delivered: ${endSentence(why)} Others could not either, and are not told one by one.`;
    await this.#tellAgent(letter, 'delivery-failed', text);
    burst.isTold = true;
  }

  /** A message that was given up is tried again after all: the agent need not say it anew. */
  async retract(letter: DeadLetter, row: OutboundRow): Promise<void> {
    const text = `Your message ${quote(row)}, which could not be delivered, is being sent again now: do not repeat it.`;
    await this.#tellAgent(letter, 'delivery-retried', text);
  }

  async #reportOne(session: Session, failure: Undelivered): Promise<void> {
    const { store, log } = this.#deps;
    const { row, maybeSent, tellsChat } = failure;
    const letter = this.#recordDeadLetter(session, failure);
    const { reason } = letter;
    log.error({ sessionId: session.id, messageId: row.id, reason }, 'delivery given up');
    const mayBe = maybeSent ? ' It may have arrived all the same.' : '';
    const text = `Your message ${quote(row)} could not be delivered: ${endSentence(reason)}${mayBe}`;
    await this.#tellAgent(letter, 'delivery-failed', text);
    if (tellsChat) await this.#tellChat(letter, failure);
    store.deliveryRetries.clear(session.id, row.id);
  }

  /** A letter that is there from before a crash keeps its time, and with it the ids of what was told. */
  #recordDeadLetter(session: Session, { row, reason, maybeSent }: Undelivered): DeadLetter {
    const { store, clock } = this.#deps;
    return recordDeadLetter(store, session, {
      direction: 'out',
      messageId: row.id,
      reason: cutText(reason, longestReason),
      createdAt: isoAt(clock.now()),
      maybeSent,
    });
  }

  /**
   * As context: read with the next turn, and waking nobody. An agent that was woken would answer, its answer may fail
   * for the same reason, and so on for ever, at the price of a turn each time. The person who waits is told by the host
   * and can ask again, and then the agent knows.
   */
  async #tellAgent(letter: DeadLetter, event: string, text: string): Promise<void> {
    const { mailbox, clock } = this.#deps;
    const { sessionId, messageId, createdAt } = letter;
    await mailbox.post(sessionId, {
      row: messageRow({
        id: `${event}-${messageId}-${Date.parse(createdAt).toString(36)}`,
        nowMs: clock.now(),
        status: 'context',
        address: null,
        content: { kind: 'system', system: { event, text } },
      }),
    });
  }

  /** Only where a message was answered: nobody waits for what an agent says of its own accord. */
  async #tellChat(letter: DeadLetter, { row, maybeSent, isPlain }: Undelivered): Promise<void> {
    const { store, mailbox, clock, nudges } = this.#deps;
    const { inReplyTo } = row;
    if (inReplyTo === null) return;
    const addresses = await mailbox.inbound(letter.sessionId, 'findAddresses', [inReplyTo]);
    const address = addresses.get(inReplyTo);
    if (address === undefined) return;
    const id = `undelivered-${letter.sessionId}-${row.id}-${Date.parse(letter.createdAt).toString(36)}`;
    const why = isPlain === true ? ` ${endSentence(letter.reason)}` : '';
    const text = maybeSent
      ? 'Sending a reply to this was interrupted: it may be missing, or not. If it is, please ask again.'
      : `Sorry, a reply to this could not be delivered.${why} Please ask again, or ask whoever runs this agent to look into it.`;
    const notice = { id, address, inReplyTo, text };
    // A platform that is away makes many replies fail; their chat is told of it once.
    if (store.notices.isWaiting(notice)) return;
    store.notices.insert(notice, isoAt(clock.now()));
    nudges.notices();
  }
}

/** The beginning of a message. */
function quote({ kind, content }: OutboundRow): string {
  if (content === null) return '(too long to be read)';
  return JSON.stringify(cutText(textOf(kind, content), longestQuote));
}

function textOf(kind: string, content: string): string {
  try {
    const parsed = parseOutboundContent(kind, content);
    if (parsed.kind === 'system') return parsed.system.action;
    return parsed.chat.operation === 'react' ? parsed.chat.emoji : parsed.chat.text;
  } catch {
    return content;
  }
}

function endSentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
