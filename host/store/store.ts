import { ifFromSqlite, type Db } from '../../shared/base/sqlite/sqlite.js';
import { StatementCache } from '../../shared/base/sqlite/statement-cache.js';
import { ActionReceiptStore } from './messages/action-receipts.js';
import { AgentGroupStore } from './agent-groups.js';
import { AgentMessageStore } from './messages/agent-messages.js';
import { AwaitedListenerStore } from './messages/awaited-listeners.js';
import { ChannelStore } from './channels.js';
import { DaemonStateStore } from './daemon-state.js';
import { DeadLetterStore } from './messages/dead-letters.js';
import { DeliveryRetryStore } from './messages/delivery-retries.js';
import { DestinationStore } from './destinations.js';
import { DueItemStore } from './due-items.js';
import { EngagedThreadStore } from './messages/engaged-threads.js';
import { MessagingGroupStore } from './messaging-groups.js';
import { NoticeStore } from './messages/notices.js';
import { QuestionStore } from './messages/questions.js';
import { ReceivedMessageStore } from './messages/received-messages.js';
import { RepairStore } from './repairs.js';
import { RequestStore } from './requests.js';
import { SessionEventStore } from './session-events.js';
import { SealedStatus } from './session-status.js';
import { SessionStore } from './sessions.js';
import { SharedCommits } from '../../shared/base/sqlite/shared-commits.js';
import { TaskStore } from './tasks.js';
import { WiringStore } from './wirings.js';

/** Runs the work in a transaction, or in a savepoint of the one that runs already. */
type Transact = (work: () => unknown) => unknown;

/** central.db, one store per table. A statement is compiled when it is first used, and kept. */
export class Store {
  readonly actionReceipts: ActionReceiptStore;
  readonly agentMessages: AgentMessageStore;
  readonly agentGroups: AgentGroupStore;
  readonly awaitedListeners: AwaitedListenerStore;
  readonly channels: ChannelStore;
  readonly daemonState: DaemonStateStore;
  readonly deadLetters: DeadLetterStore;
  readonly deliveryRetries: DeliveryRetryStore;
  readonly destinations: DestinationStore;
  readonly dueItems: DueItemStore;
  readonly engagedThreads: EngagedThreadStore;
  readonly events: SessionEventStore;
  readonly messagingGroups: MessagingGroupStore;
  readonly notices: NoticeStore;
  readonly questions: QuestionStore;
  readonly received: ReceivedMessageStore;
  readonly repairs: RepairStore;
  readonly requests: RequestStore;
  readonly sessions: SessionStore;
  readonly sessionStatus: SealedStatus;
  readonly tasks: TaskStore;
  readonly wirings: WiringStore;
  readonly #db: Db;
  readonly #statements: StatementCache;
  readonly #commits = new SharedCommits((work) => this.transaction(work));
  #transact: Transact | undefined;

  constructor(db: Db) {
    this.#db = db;
    const statements = new StatementCache(db);
    this.#statements = statements;
    this.actionReceipts = new ActionReceiptStore(statements);
    this.agentMessages = new AgentMessageStore(statements);
    this.agentGroups = new AgentGroupStore(statements);
    this.awaitedListeners = new AwaitedListenerStore(statements);
    this.channels = new ChannelStore(statements);
    this.daemonState = new DaemonStateStore(statements);
    this.deadLetters = new DeadLetterStore(statements);
    this.deliveryRetries = new DeliveryRetryStore(statements);
    this.destinations = new DestinationStore(statements);
    this.dueItems = new DueItemStore(statements);
    this.engagedThreads = new EngagedThreadStore(statements);
    this.events = new SessionEventStore(statements);
    this.messagingGroups = new MessagingGroupStore(statements);
    this.notices = new NoticeStore(statements);
    this.questions = new QuestionStore(statements);
    this.received = new ReceivedMessageStore(statements);
    this.repairs = new RepairStore(statements);
    this.requests = new RequestStore(statements);
    this.sessions = new SessionStore(statements);
    this.sessionStatus = new SealedStatus(statements);
    this.tasks = new TaskStore(statements);
    this.wirings = new WiringStore(statements);
  }

  /** Changes when another process has written. Source: sqlite.org/pragma.html#pragma_data_version. */
  dataVersion(): number {
    return this.#statements.pluck<[], number>('PRAGMA data_version').get() ?? 0;
  }

  /** How long a write may wait for another process's transaction, in milliseconds: the thread waits with it. */
  limitWaits(ms: number): void {
    this.#db.pragma(`busy_timeout = ${ms}`);
  }

  /**
   * Leaves the write-ahead log to another connection, which copies it into the database: no commit of this one waits for the
   * disk then, unless the log has grown beyond `maxPages` all the same.
   */
  leaveCheckpoints(maxPages: number): void {
    this.#db.pragma(`wal_autocheckpoint = ${maxPages}`);
  }

  /** All of it or nothing. Throws what SQLite fails with as a BerthError, and what the work throws as it is. */
  transaction<T>(work: () => T): T {
    try {
      this.#transact ??= makeTransact(this.#db);
      return this.#transact(work) as T;
    } catch (error) {
      throw ifFromSqlite(error, this.#db.name);
    }
  }

  /**
   * As `transaction`, soon: all that is asked for in this way before the event loop goes on shares one commit. An error
   * that one work throws goes to its own caller.
   */
  transactionSoon<T>(work: () => T): Promise<T> {
    return this.#commits.add(work);
  }

  /**
   * Copies the write-ahead log into the database, so that the file holds everything by itself. False where somebody reads
   * longer than a write may wait. Source: sqlite.org/pragma.html#pragma_wal_checkpoint.
   */
  checkpoint(): boolean {
    return this.#db.pragma('wal_checkpoint(TRUNCATE)', { simple: true }) === 0;
  }

  close(): void {
    this.#db.close();
  }
}

/** Made once: with the first one of a database, nine statements are compiled. */
function makeTransact(db: Db): Transact {
  const transaction = db.transaction((work: () => unknown) => work());
  return (work) => transaction.immediate(work);
}
