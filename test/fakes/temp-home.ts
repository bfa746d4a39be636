/** The core of the host in a temporary folder: a store, mailboxes, and the runner's half of them. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Mailbox } from '../../host/sessions/mailbox/mailbox.js';
import { SessionFolders } from '../../host/sessions/session-folder.js';
import { SessionRecovery } from '../../host/sessions/repair/session-recovery.js';
import type { SessionRegistry } from '../../host/sessions/session-registry.js';
import { openStore } from '../../host/store/central/central-db.js';
import type { AgentGroup } from '../../host/store/agent-groups.js';
import type { MessagingGroup } from '../../host/store/messaging-groups.js';
import type { Session } from '../../host/store/sessions.js';
import type { Store } from '../../host/store/store.js';
import type { Wiring } from '../../host/store/wirings.js';
import type { NewId } from '../../shared/base/ids.js';
import { createLogger, type Logger } from '../../shared/base/logger.js';
import { readMigrations } from '../../shared/base/sqlite/migrate.js';
import { withDatabase, type Db } from '../../shared/base/sqlite/sqlite.js';
import { InboundHandle } from '../../shared/protocol/mailbox/inbound-handle.js';
import { encodeContent } from '../../shared/protocol/session-message.js';
import { inboundDbPath, outboundDbPath } from '../../shared/protocol/workspace.js';
import { FakeClock } from './fake-clock.js';
import { FakeRunner } from './fake-runner.js';
import { inlineInbound, inlineOutbound } from './inline-files.js';
import { nudgesWith } from './nudges.js';
import { insertSession } from './session-rows.js';

export interface InboundRow {
  readonly id: string;
  readonly kind: string;
  readonly seq: number;
  readonly status: string;
  readonly tries: number;
  readonly process_after: string | null;
  readonly content: string;
}

const lockTimeoutMs = 2_000;
const inboundMigrations = readMigrations('migrations/inbound');
const outboundMigrations = readMigrations('migrations/outbound');

/** An empty central.db: migrating one for each test would take most of its time. */
const freshCentralDb = makeFreshCentralDb();

export class TempHome implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'berth-home-'));
  readonly groupsDir = join(this.root, 'groups');
  readonly sessionsDir = join(this.root, 'data', 'sessions');
  readonly centralPaths = {
    centralDb: join(this.root, 'data', 'central.db'),
    backupsDir: join(this.root, 'data', 'backups'),
    migrationsDir: 'migrations',
  };
  readonly clock = new FakeClock();
  readonly store: Store;
  readonly folders = new SessionFolders({
    sessionsDir: this.sessionsDir,
    groupsDir: this.groupsDir,
    agentUser: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
    mustGiveAway: false,
  });
  readonly mailboxDeps = {
    folders: this.folders,
    inboundFiles: inlineInbound(inboundMigrations),
    outboundFiles: inlineOutbound(this.sessionsDir),
    inboundMigrations,
    lockTimeoutMs,
  };
  readonly mailbox = new Mailbox({
    ...this.mailboxDeps,
    recovery: {
      isInUse: (sessionId) => this.recovery?.isInUse(sessionId) ?? false,
      restore: async (sessionId, error) => this.recovery?.restore(sessionId, error),
    },
  });
  /** Made by addRecovery; without it nothing is repaired. */
  recovery: SessionRecovery | undefined;
  /** The lines that were logged, each of them JSON. */
  readonly logLines: string[] = [];
  readonly log: Logger = createLogger('debug', { write: (line) => this.logLines.push(line) });
  readonly #counters = new Map<string, number>();

  constructor() {
    mkdirSync(this.groupsDir);
    mkdirSync(join(this.root, 'data'));
    writeFileSync(this.centralPaths.centralDb, freshCentralDb);
    this.store = openStore(this.centralPaths, this.clock.now()).store;
  }

  /** `s-1`, `s-2`, … */
  readonly newId: NewId = (prefix) => {
    const count = (this.#counters.get(prefix) ?? 0) + 1;
    this.#counters.set(prefix, count);
    return `${prefix}-${count}`;
  };

  addAgentGroup(fields: Partial<AgentGroup> = {}): AgentGroup {
    const id = fields.id ?? this.newId('ag');
    const group: AgentGroup = {
      id,
      name: id,
      folder: id,
      isAdmin: false,
      provider: null,
      containerConfig: null,
      createdAt: this.clock.iso(),
      ...fields,
    };
    this.store.agentGroups.insert(group);
    return group;
  }

  /** A chat of the `fake` channel. */
  addChat(fields: Partial<MessagingGroup> = {}): MessagingGroup {
    const id = fields.id ?? this.newId('mg');
    const chat: MessagingGroup = {
      id,
      channelType: 'fake',
      platformId: 'chat-1',
      name: null,
      isGroup: false,
      adminUserId: null,
      timeZone: null,
      createdAt: this.clock.iso(),
      ...fields,
    };
    this.store.messagingGroups.insert(chat);
    return chat;
  }

  addWiring(chat: MessagingGroup, group: AgentGroup, fields: Partial<Wiring> = {}): Wiring {
    const wiring: Wiring = {
      id: fields.id ?? this.newId('w'),
      messagingGroupId: chat.id,
      agentGroupId: group.id,
      triggerRules: null,
      responseScope: 'all',
      sessionMode: 'shared',
      priority: 0,
      createdAt: this.clock.iso(),
      ...fields,
    };
    this.store.wirings.insert(wiring);
    return wiring;
  }

  /** A session of the agent group in the chat; without fields the first one of each is made. */
  addSession(fields: Partial<Session> = {}): Session {
    const session: Session = {
      id: fields.id ?? this.newId('s'),
      agentGroupId: fields.agentGroupId ?? this.#someAgentGroup().id,
      messagingGroupId: this.#someChat().id,
      threadId: null,
      provider: null,
      status: 'active',
      statusReason: null,
      containerStatus: 'stopped',
      lastActive: null,
      createdAt: this.clock.iso(),
      ...fields,
    };
    insertSession(this.store, session);
    return session;
  }

  /** Repairs the sessions' files, as soon as their containers have ended. */
  addRecovery(
    sessions: SessionRegistry,
    onWanted: (sessionId: string) => void = () => undefined,
  ): SessionRecovery {
    this.recovery = new SessionRecovery({
      ...this.mailboxDeps,
      store: this.store,
      mailbox: this.mailbox,
      sessions,
      inboundMigrations,
      outboundMigrations,
      clock: this.clock,
      log: this.log,
      monotonicNow: () => this.clock.now(),
      nudges: nudgesWith({ container: onWanted }),
    });
    return this.recovery;
  }

  /** Messages wait in a session, as the router leaves them. */
  async post(session: Session, ...ids: string[]): Promise<void> {
    await this.#append(session, ids, 'pending');
    this.store.dueItems.advance(session.id, 'wake', this.clock.iso());
  }

  /** Posts what was said and wakes nobody. */
  async postContext(session: Session, ...ids: string[]): Promise<void> {
    await this.#append(session, ids, 'context');
  }

  /** The runner's half of a session; makes both of its files where there are none. */
  runnerOf(sessionId: string): FakeRunner {
    this.folders.ensureInbound(sessionId);
    new InboundHandle(inboundDbPath(this.folders.inDir(sessionId))).create(inboundMigrations);
    const outDir = this.folders.outDir(sessionId);
    mkdirSync(outDir, { recursive: true });
    return new FakeRunner(outDir, this.clock);
  }

  inbound<T>(sessionId: string, use: (db: Db) => T): T {
    const path = inboundDbPath(this.folders.inDir(sessionId));
    return withDatabase(path, { mode: 'write', busyTimeoutMs: 1_000 }, use);
  }

  outbound<T>(sessionId: string, use: (db: Db) => T): T {
    const path = outboundDbPath(this.folders.outDir(sessionId));
    return withDatabase(path, { mode: 'write', busyTimeoutMs: 1_000 }, use);
  }

  /** Reads central.db as `sqlite3` would. */
  central<T>(use: (db: Db) => T): T {
    return withDatabase(
      this.centralPaths.centralDb,
      { mode: 'write', busyTimeoutMs: 1_000, journal: 'wal' },
      use,
    );
  }

  messagesIn(sessionId: string): readonly InboundRow[] {
    return this.inbound(sessionId, (db) =>
      db
        .prepare<[], InboundRow>(
          'SELECT id, kind, seq, status, tries, process_after, content FROM messages_in ORDER BY seq',
        )
        .all(),
    );
  }

  /** delivered.status by messages_out.id. */
  deliveries(sessionId: string): Readonly<Record<string, string>> {
    const rows = this.inbound(sessionId, (db) =>
      db.prepare<[], [string, string]>('SELECT message_out_id, status FROM delivered').raw().all(),
    );
    return Object.fromEntries(rows);
  }

  notices(): readonly { id: string; status: string; in_reply_to: string | null; text: string }[] {
    return this.central((db) =>
      db
        .prepare<[], { id: string; status: string; in_reply_to: string | null; text: string }>(
          'SELECT id, status, in_reply_to, text FROM notices ORDER BY created_at, id',
        )
        .all(),
    );
  }

  /** What happened, without when: `container.ended s-1: it had nothing to do`. */
  events(): readonly string[] {
    return this.store.events
      .listNewest(1_000)
      .map(({ name, sessionId, messageId, detail: { why } }) =>
        [name, messageId ?? sessionId ?? '-'].join(' ').concat(why === undefined ? '' : `: ${why}`),
      );
  }

  [Symbol.dispose](): void {
    this.store.close();
    rmSync(this.root, { recursive: true, force: true });
  }

  async #append(
    session: Session,
    ids: readonly string[],
    status: 'pending' | 'context',
  ): Promise<void> {
    const chat = this.store.messagingGroups.find(session.messagingGroupId ?? '');
    const address =
      chat === undefined
        ? null
        : {
            channelType: chat.channelType,
            platformId: chat.platformId,
            threadId: session.threadId,
          };
    const sender = { id: 'user-1' };
    const posts = ids.map((id) => {
      const chat = { text: id, sender, mentioned: true, attachments: [] };
      return this.mailbox.post(session.id, {
        row: {
          id,
          kind: 'chat',
          timestamp: this.clock.iso(),
          status,
          processAfter: null,
          recurrence: null,
          address,
          content: encodeContent({ kind: 'chat', chat }),
        },
      });
    });
    await Promise.all(posts);
  }

  #someAgentGroup(): AgentGroup {
    return this.store.agentGroups.list()[0] ?? this.addAgentGroup();
  }

  #someChat(): MessagingGroup {
    return this.store.messagingGroups.list()[0] ?? this.addChat();
  }
}

function makeFreshCentralDb(): Buffer {
  const root = mkdtempSync(join(tmpdir(), 'berth-fresh-'));
  try {
    const centralDb = join(root, 'central.db');
    openStore({ centralDb, backupsDir: root, migrationsDir: 'migrations' }, 0).store.close();
    return readFileSync(centralDb);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
