import { ifFromSqlite, type Db } from '../../shared/base/sqlite.js';
import { AgentGroupStore } from './agent-groups.js';
import { AwaitedListenerStore } from './awaited-listeners.js';
import { DaemonStateStore } from './daemon-state.js';
import { DeadLetterStore } from './dead-letters.js';
import { DeliveryRetryStore } from './delivery-retries.js';
import { DestinationStore } from './destinations.js';
import { DueItemStore } from './due-items.js';
import { EngagedThreadStore } from './engaged-threads.js';
import { MessagingGroupStore } from './messaging-groups.js';
import { NoticeStore } from './notices.js';
import { ReceivedMessageStore } from './received-messages.js';
import { RepairStore } from './repairs.js';
import { RequestStore } from './requests.js';
import { SessionStore } from './sessions.js';
import { TaskStore } from './tasks.js';
import { WiringStore } from './wirings.js';

/** Copying so many takes the thread for about a millisecond. */
const pagesAtATime = 100;

/** central.db, one store per table. */
export class Store {
  readonly agentGroups: AgentGroupStore;
  readonly awaitedListeners: AwaitedListenerStore;
  readonly daemonState: DaemonStateStore;
  readonly deadLetters: DeadLetterStore;
  readonly deliveryRetries: DeliveryRetryStore;
  readonly destinations: DestinationStore;
  readonly dueItems: DueItemStore;
  readonly engagedThreads: EngagedThreadStore;
  readonly messagingGroups: MessagingGroupStore;
  readonly notices: NoticeStore;
  readonly received: ReceivedMessageStore;
  readonly repairs: RepairStore;
  readonly requests: RequestStore;
  readonly sessions: SessionStore;
  readonly tasks: TaskStore;
  readonly wirings: WiringStore;
  readonly #db: Db;
  readonly #findDataVersion: () => number | undefined;

  constructor(db: Db) {
    this.#db = db;
    const version = db.prepare<[], number>('PRAGMA data_version').pluck();
    this.#findDataVersion = () => version.get();
    this.agentGroups = new AgentGroupStore(db);
    this.awaitedListeners = new AwaitedListenerStore(db);
    this.daemonState = new DaemonStateStore(db);
    this.deadLetters = new DeadLetterStore(db);
    this.deliveryRetries = new DeliveryRetryStore(db);
    this.destinations = new DestinationStore(db);
    this.dueItems = new DueItemStore(db);
    this.engagedThreads = new EngagedThreadStore(db);
    this.messagingGroups = new MessagingGroupStore(db);
    this.notices = new NoticeStore(db);
    this.received = new ReceivedMessageStore(db);
    this.repairs = new RepairStore(db);
    this.requests = new RequestStore(db);
    this.sessions = new SessionStore(db);
    this.tasks = new TaskStore(db);
    this.wirings = new WiringStore(db);
  }

  /** Changes when another process has written. Source: sqlite.org/pragma.html#pragma_data_version. */
  dataVersion(): number {
    return this.#findDataVersion() ?? 0;
  }

  /** How long a write may wait for another process's transaction, in milliseconds: the thread waits with it. */
  limitWaits(ms: number): void {
    this.#db.pragma(`busy_timeout = ${ms}`);
  }

  /** All of it or nothing. Throws what SQLite fails with as a BerthError, and what the work throws as it is. */
  transaction<T>(work: () => T): T {
    try {
      return this.#db.transaction(work).immediate();
    } catch (error) {
      throw ifFromSqlite(error, this.#db.name);
    }
  }

  /** Copies the database as it is used, a little at a time. Rejects when the signal aborts. */
  async backUpTo(path: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#db.backup(path, {
        progress: () => {
          signal.throwIfAborted();
          return pagesAtATime;
        },
      });
    } catch (error) {
      throw ifFromSqlite(error, path);
    }
  }

  close(): void {
    this.#db.close();
  }
}
