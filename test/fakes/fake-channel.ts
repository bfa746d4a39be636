import type {
  Channel,
  ChannelEvents,
  ChannelPort,
  InboundEvent,
  InboundOutcome,
  OutboundEvent,
  SendOutcome,
  SettledEvent,
} from '../../host/channels/channel.js';

/** How the platform takes one send: an outcome, a throw, or no answer until the channel stops. */
export type SendBehaviour =
  SendOutcome | { readonly kind: 'throws'; readonly message: string } | { readonly kind: 'hangs' };

export interface FakeChannelOptions {
  readonly id?: string;
  readonly sendsAreIdempotent?: boolean;
  readonly wiresItself?: boolean;
  /** The error that start throws. */
  readonly startError?: Error;
}

/** The outcome that the sender of a message was told. */
export type PlatformAnswer =
  | { readonly kind: 'acknowledged'; readonly outcome: InboundOutcome }
  | { readonly kind: 'not-taken'; readonly reason: string };

/** A channel whose platform is in memory, and does as it is told. */
export class FakeChannel implements Channel, ChannelPort {
  readonly id: string;
  readonly sendsAreIdempotent: boolean;
  readonly wiresItself: boolean;
  /** Every send that was begun. */
  readonly sends: OutboundEvent[] = [];
  /** The events that the platform took. */
  readonly sent: OutboundEvent[] = [];
  readonly settledEvents: SettledEvent[] = [];
  readonly #startError: Error | undefined;
  readonly #script: SendBehaviour[] = [];
  readonly #hanging = new Set<() => void>();
  readonly #deafChats = new Set<string>();
  #always: SendBehaviour | undefined;
  #events: ChannelEvents | undefined;
  #isRefusing = false;
  #counter = 0;

  constructor(options: FakeChannelOptions = {}) {
    this.id = options.id ?? 'fake';
    this.sendsAreIdempotent = options.sendsAreIdempotent ?? false;
    this.wiresItself = options.wiresItself ?? false;
    this.#startError = options.startError;
  }

  start(events: ChannelEvents): Promise<void> {
    if (this.#startError !== undefined) return Promise.reject(this.#startError);
    this.#events = events;
    return Promise.resolve();
  }

  refuse(): void {
    this.#isRefusing = true;
  }

  async send(event: OutboundEvent): Promise<SendOutcome> {
    this.sends.push(event);
    if (this.#events === undefined) return notRunning;
    const behaviour = this.#script.shift() ?? this.#always ?? this.#usual(event);
    switch (behaviour.kind) {
      case 'throws':
        throw new Error(behaviour.message);
      case 'hangs':
        return this.#hang();
      case 'sent':
        this.sent.push(event);
        return behaviour;
      case 'nobody-listening':
      case 'failed':
      case 'unknown':
        return behaviour;
    }
  }

  settled(event: SettledEvent): void {
    this.settledEvents.push(event);
  }

  stop(): Promise<void> {
    this.refuse();
    this.#events = undefined;
    for (const release of this.#hanging) release();
    return Promise.resolve();
  }

  /** The next sends go like this, one after the other; then as usual again. */
  willAnswer(...behaviours: SendBehaviour[]): void {
    this.#script.push(...behaviours);
  }

  /** All sends without a script go like this; undefined: as usual. */
  alwaysAnswers(behaviour: SendBehaviour | undefined): void {
    this.#always = behaviour;
  }

  /** Nobody reads this chat, until somebody listens. */
  leave(platformId: string): void {
    this.#deafChats.add(platformId);
  }

  listen(platformId: string): void {
    this.#deafChats.delete(platformId);
    this.#events?.onListening({ channelType: this.id, platformId });
  }

  /** Writes as a person. */
  async receive(
    message: Partial<InboundEvent> & { readonly text: string },
    platformId = 'chat-1',
  ): Promise<PlatformAnswer> {
    if (this.#events === undefined || this.#isRefusing) {
      return { kind: 'not-taken', reason: 'the channel receives nothing' };
    }
    try {
      const outcome = await this.#events.onInbound({
        type: 'message',
        address: { channelType: this.id, platformId, threadId: null },
        platformMessageId: `platform-${this.#nextId()}`,
        sender: { id: 'user-1' },
        isGroup: false,
        isMention: true,
        ...message,
      });
      return { kind: 'acknowledged', outcome };
    } catch (error) {
      return { kind: 'not-taken', reason: String(error) };
    }
  }

  #nextId(): number {
    this.#counter += 1;
    return this.#counter;
  }

  #usual(event: OutboundEvent): SendOutcome {
    if (this.#deafChats.has(event.address.platformId)) return { kind: 'nobody-listening' };
    if (event.chat.operation !== 'post' && event.targetPlatformId === null) {
      return { kind: 'failed', reason: 'the message is not known here', retryable: false };
    }
    return { kind: 'sent', platformMessageId: `platform-${this.#nextId()}` };
  }

  #hang(): Promise<SendOutcome> {
    return new Promise((resolve) => {
      const release = (): void => {
        this.#hanging.delete(release);
        resolve(notRunning);
      };
      this.#hanging.add(release);
    });
  }
}

const notRunning: SendOutcome = {
  kind: 'failed',
  reason: 'the channel does not run',
  retryable: true,
};
