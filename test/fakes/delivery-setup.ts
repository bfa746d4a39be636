import { TaskHandler } from '../../host/schedule/task-handler.js';
import { join } from 'node:path';
import { defaultFileLimits } from '../../host/delivery/files/file-budget.js';
import { buildDelivery, type Delivery } from '../../host/delivery/build-delivery.js';
import { SessionRegistry } from '../../host/sessions/session-registry.js';
import type { Session } from '../../host/store/sessions.js';
import type { Address } from '../../shared/protocol/session-message.js';
import { FakeChannel, type FakeChannelOptions } from './fake-channel.js';
import { nudgesWith } from './nudges.js';
import { SettlingSetup } from './settling-setup.js';

export interface DeliverySetupOptions extends FakeChannelOptions {
  readonly sendTimeoutMs?: number;
  readonly maxFileBytes?: number;
  readonly unknownSends?: 'repeat' | 'hold';
  readonly repeatPassMs?: number;
  readonly settlementWaitMs?: number;
}

/**
 * Sets up one session whose replies go to the chats of fake channels. Nothing runs by itself: a test asks for each
 * pass.
 */
export class DeliverySetup extends SettlingSetup {
  /** Of type `fake`. */
  readonly channel: FakeChannel;
  readonly channels = new Map<string, FakeChannel>();
  readonly sessions = new SessionRegistry(this);
  readonly damaged: string[] = [];
  /** Called when a session's files are to be repaired. */
  whenWanted: (sessionId: string) => void = () => undefined;
  readonly said: string[] = [];
  /** Sessions in which a message was put back. */
  readonly posted: string[] = [];
  /** How many due times were written. */
  planned = 0;
  delivery: Delivery;
  readonly #options: DeliverySetupOptions;

  constructor(options: DeliverySetupOptions = {}) {
    super();
    this.#options = options;
    this.channel = this.addChannel(options);
    this.delivery = this.#build();
  }

  addChannel(options: FakeChannelOptions): FakeChannel {
    const channel = new FakeChannel(options);
    void channel.start({
      onInbound: () => Promise.resolve({ kind: 'refused', reason: 'nobody reads' }),
      onListening: ({ channelType, platformId }) => {
        for (const id of this.store.awaitedListeners.take(channelType, platformId)) {
          this.delivery.loop.nudge(id);
        }
      },
    });
    this.channels.set(channel.id, channel);
    return channel;
  }

  /** Another chat of the session's agent group. */
  addWiredChat(platformId: string, channelType = 'fake'): Address {
    const chat = this.addChat({ platformId, channelType });
    this.addWiring(chat, this.agentGroup);
    return { channelType, platformId, threadId: null };
  }

  /** Delivers what there is, and settles what has been acked. */
  async deliver(session: Session = this.session): Promise<void> {
    this.delivery.loop.nudge(session.id);
    await this.delivery.loop.drain();
  }

  /** As after a crash of the daemon: nothing is remembered. */
  rebuild(): void {
    this.restart();
    this.delivery = this.#build();
  }

  /** The texts that a channel took, in their order. */
  texts(channel = this.channel): readonly string[] {
    return channel.sent.map(({ chat }) => (chat.operation === 'react' ? chat.emoji : chat.text));
  }

  /** Milliseconds until delivery is due. */
  deliversIn(session: Session = this.session): number | undefined {
    const due = this.store.dueItems.find(session.id, 'deliver');
    return due === undefined ? undefined : Date.parse(due.dueAt) - this.clock.now();
  }

  /** Why messages were given up, by id. */
  outDeadLetters(session: Session = this.session): Readonly<Record<string, string>> {
    const letters = this.store.deadLetters
      .listForSession(session.id)
      .filter(({ direction }) => direction === 'out');
    return Object.fromEntries(letters.map(({ messageId, reason }) => [messageId, reason]));
  }

  override [Symbol.dispose](): void {
    void this.delivery.loop.stop();
    super[Symbol.dispose]();
  }

  #taskDeps() {
    const { store, mailbox, sessions, clock, log } = this;
    return { store, mailbox, sessions, clock, log };
  }

  #build(): Delivery {
    const {
      sendTimeoutMs = 5_000,
      maxFileBytes = 1_000,
      repeatPassMs = 5_000,
      settlementWaitMs = 0,
    } = this.#options;
    const { unknownSends = 'repeat' } = this.#options;
    this.store.dueItems.watch(() => {
      this.planned += 1;
    });
    return buildDelivery({
      tasks: new TaskHandler({ ...this.#taskDeps(), timeZone: 'UTC' }),
      timeZone: 'UTC',
      store: this.store,
      mailbox: this.mailbox,
      folders: this.folders,
      sessions: this.sessions,
      settlement: this.settlement,
      clock: this.clock,
      chance: () => 0.5,
      log: this.log,
      retry: { tries: 3, baseMs: 1_000 },
      sendTimeoutMs,
      writeWaitMs: 200,
      repeatPassMs,
      settlementWaitMs,
      settlingMs: 0,
      unknownSendsOf: () => unknownSends,
      fileLimits: { ...defaultFileLimits, fileBytes: maxFileBytes },
      pollIntervalMs: 10,
      outDir: (sessionId) => this.folders.outDir(sessionId),
      viewDir: (sessionId) => this.folders.viewDir(sessionId),
      sentDir: (sessionId) => join(this.folders.folderOf(sessionId), 'sent'),
      findChannel: (type) => this.channels.get(type),
      recovery: this.addRecovery(this.sessions, (sessionId) => {
        this.damaged.push(sessionId);
        this.whenWanted(sessionId);
      }),
      nudges: nudgesWith({
        container: (sessionId) => {
          this.posted.push(sessionId);
        },
      }),
      onSaid: ({ id }) => {
        this.said.push(id);
      },
    });
  }
}
