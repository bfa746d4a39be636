/**
 * The contract between Berth and a platform. For implementers:
 * - `channelType` of every address is the instance's own id, `ChannelHost.id`: two instances of a type are two channels.
 * - `onInbound` resolves when the message is on disk: acknowledge to the platform only then.
 * - `send` never reports `sent` for what the platform did not take, and never throws for what a platform says: a
 *   refusal is an outcome. An error that it throws all the same counts as `unknown`: answer `failed` where nothing was
 *   taken. Before `start`, after `stop` and where `start` failed it answers `nobody-listening` or `failed`, retryable:
 *   it may be called at any time.
 * - Bad input from a platform never stops a channel. Ids are handed over as the platform made them: one that cannot be
 *   stored (half a surrogate pair, NUL) is refused by channel-guard.ts; text is made well-formed there.
 * - After `stop` resolves, nothing is received and nothing is running. `stop` may be called twice, and where `start`
 *   failed.
 */
import type { Address, ChatOut } from '../../shared/protocol/session-message.js';

/** A file that came with a message; `path` is a temporary file that the session takes over. */
export interface InboundFile {
  readonly name: string;
  readonly path: string;
  readonly mimeType?: string;
}

/** A message as a channel hands it over: verified and parsed. */
export interface InboundEvent {
  readonly address: Address;
  /** The platform's own id of the message: the same id from the same chat is taken once. */
  readonly platformMessageId: string;
  readonly sender: { readonly id: string; readonly name?: string };
  readonly text: string;
  /** More than one person can read the chat. */
  readonly isGroup: boolean;
  /** The agent was addressed by name, as the platform knows it. */
  readonly isMention: boolean;
  /** Where the platform knows nobody by name: what was written with an `@`, without it. The router knows the agents' names. */
  readonly mentionedNames?: readonly string[];
  /** The chat's name for people, where the platform tells. */
  readonly chatName?: string;
  /** The platform's id of the message this one answers. */
  readonly replyTo?: string;
  readonly files?: readonly InboundFile[];
  /** The question that it answers, where the platform says so, as with a button: its id. */
  readonly answers?: string;
}

/** Something that happened to a message that is there already. */
interface EventAbout {
  readonly address: Address;
  /** The platform's id of that message. */
  readonly platformMessageId: string;
  readonly sender: { readonly id: string; readonly name?: string };
}

/** A person has pressed something that the message offers. */
export interface ActionEvent extends EventAbout {
  /** The id that the offer was sent with. */
  readonly actionId: string;
}

export interface ReactionEvent extends EventAbout {
  readonly emoji: string;
  /** The reaction was taken back. */
  readonly isRemoved: boolean;
}

/** The message has another text from now on. */
export interface EditEvent extends EventAbout {
  readonly text: string;
}

/** The message has reached a person, or was read. */
export interface ReceiptEvent extends EventAbout {
  readonly status: 'delivered' | 'read';
}

/** The event that belongs to each type: who adds one says what becomes of it, or does not compile. */
export interface ChannelEventTable {
  readonly message: InboundEvent;
  readonly action: ActionEvent;
  readonly reaction: ReactionEvent;
  readonly edit: EditEvent;
  readonly receipt: ReceiptEvent;
}

export type ChannelEventType = keyof ChannelEventTable;

export type ChannelEvent = {
  readonly [Type in ChannelEventType]: { readonly type: Type } & ChannelEventTable[Type];
}[ChannelEventType];

export type InboundOutcome =
  /** On disk in at least one session, or kept as context. */
  | {
      readonly kind: 'accepted';
      readonly messageId: string;
      /** Kept as context everywhere: nobody answers it, and it is never `settled`. */
      readonly contextOnly?: boolean;
    }
  /** The same platform message had been taken before. */
  | {
      readonly kind: 'duplicate';
      readonly messageId: string;
      readonly contextOnly?: boolean;
      /**
       * The message has been dealt with already, so that no `settled` will follow. Resolves, and never rejects, when
       * the replies that were kept are sent as far as they can be now; nothing else should wait for it.
       */
      readonly settled?: Promise<'completed' | 'failed'>;
    }
  /** Recorded, and nobody will answer; or named so that it cannot be recorded. */
  | { readonly kind: 'refused'; readonly reason: string; readonly next?: string };

export type OnInbound = (event: ChannelEvent) => Promise<InboundOutcome>;

/** A file to send. */
export interface OutboundFile {
  /** As the agent named it: any text of one line or several, without `/` and NUL. */
  readonly name: string;
  /**
   * The host's own copy, out of every container's reach. The copy stays for `keepFilesDays`; a channel reads it, and no
   * more.
   */
  readonly path: string;
}

/** A question that the text of a post asks, for platforms that can show buttons. */
export interface QuestionView {
  readonly id: string;
  /** Labels, in the order of their numbers. */
  readonly options: readonly string[];
  /** Whether any text is an answer. */
  readonly freeText: boolean;
  /** ISO-8601. */
  readonly expiresAt: string;
}

export interface OutboundEvent {
  readonly address: Address;
  /** Our id of the message: an idempotency key where the platform takes one. */
  readonly messageId: string;
  /** The inbound message that this answers, ours, if any. */
  readonly inReplyTo: string | null;
  readonly chat: ChatOut;
  /** The platform's id of the message that an edit or a reaction is about. */
  readonly targetPlatformId: string | null;
  readonly files: readonly OutboundFile[];
  readonly question?: QuestionView;
}

export type SendOutcome =
  | { readonly kind: 'sent'; readonly platformMessageId: string | null }
  /**
   * Nobody is there to receive it now; `onListening` will say when to try again. That may be at once: note who waits
   * before anything else is awaited.
   */
  | { readonly kind: 'nobody-listening' }
  | {
      readonly kind: 'failed';
      readonly reason: string;
      readonly retryable: boolean;
      /** The platform's own wish, in milliseconds. */
      readonly retryAfterMs?: number;
      /** The chat itself takes nothing from us any more: we were blocked or removed, or it is gone. */
      readonly isChatGone?: boolean;
    }
  /** The platform may have taken it, as when the connection broke before it answered. */
  | { readonly kind: 'unknown'; readonly reason: string };

/** A channel calls these while it runs. */
export interface ChannelEvents {
  readonly onInbound: OnInbound;
  /** Tells that somebody began to listen on a chat whose replies may have been kept. */
  readonly onListening: (chat: { channelType: string; platformId: string }) => void;
}

/** A running instance. Its row in central.db says that it is to run, and with which config. */
export interface Channel {
  start(events: ChannelEvents): Promise<void>;
  /** Receives nothing more; sends go on until stop. */
  refuse(): void;
  send(event: OutboundEvent): Promise<SendOutcome>;
  /** Tells that a message has been dealt with: all its replies were sent, or it failed for good. */
  settled?(event: SettledEvent): void;
  stop(): Promise<void>;
}

/** The facts about a type of channel that the rooms beside it go by. */
export interface ChannelFacts {
  /** A message sent twice under the same messageId is shown once. */
  readonly sendsAreIdempotent: boolean;
  /** An unknown chat's first message wires it to the default agent group. */
  readonly wiresItself: boolean;
}

/**
 * A channel as the rooms that send see it: it stays, while the instance behind it is started, replaced and stopped. Where
 * none runs, nobody is listening; `onListening` or `onRunning` says when to try again.
 */
export interface ChannelPort extends ChannelFacts {
  readonly id: string;
  send(event: OutboundEvent): Promise<SendOutcome>;
  settled(event: SettledEvent): void;
}

export interface SettledEvent {
  readonly address: Address;
  readonly messageId: string;
  readonly status: 'completed' | 'failed';
}
