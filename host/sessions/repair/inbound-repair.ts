/**
 * Makes a fresh inbound.db for a session whose own is damaged or gone, out of what can be read of it, of outbound.db and
 * of the central database. What cannot be saved is told before the file is in its place: told twice is told once.
 */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isoAt, type Clock } from '../../../shared/base/clock.js';
import type { Migration } from '../../../shared/base/sqlite/migrate.js';
import { withDatabase } from '../../../shared/base/sqlite/sqlite.js';
import {
  amendInbound,
  rebuildInbound,
  type InboundAmendment,
  type InboundSalvage,
} from './rebuild/inbound-rebuild.js';
import { InboundHandle } from '../../../shared/protocol/mailbox/inbound-handle.js';
import { InboundWriter } from '../../../shared/protocol/mailbox/inbound-writer.js';
import { encodeContent } from '../../../shared/protocol/session-message.js';
import { inboundDbPath } from '../../../shared/protocol/workspace.js';
import type { Session } from '../../store/sessions.js';
import type { Store } from '../../store/store.js';
import type { Task } from '../../store/tasks.js';
import { findLostMessages, type LostMessage } from './lost-messages.js';
import type { Mailbox } from '../mailbox/mailbox.js';
import {
  copyOrdinary,
  emptyWorkDir,
  findStat,
  install,
  setFileAside,
  type Copied,
} from './repair-files.js';
import type { SessionFolders } from '../session-folder.js';
import type { SessionRegistry } from '../session-registry.js';
import { surveySent, type SentSurvey } from './sent-survey.js';
import { toTaskRow } from '../tasks/task-row.js';

export interface InboundRepairDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly sessions: SessionRegistry;
  readonly folders: SessionFolders;
  readonly inboundMigrations: readonly Migration[];
  readonly clock: Clock;
}

export interface InboundMend {
  readonly salvage: InboundSalvage;
  readonly lost: readonly LostMessage[];
  /** Replies that may have been sent. */
  readonly unknown: readonly string[];
  /** How many planned tasks were written anew. */
  readonly taskCount: number;
  /** Where the damaged file is now. */
  readonly keptAs: string | undefined;
}

/** Of the host's own making, however long a conversation may be. */
const maxDbBytes = 8 * 1024 ** 3;

/** What a message that is lost leaves behind. */
const placeholder = encodeContent({
  kind: 'chat',
  chat: {
    text: '(This message was lost with a damaged file.)',
    sender: { id: 'unknown' },
    mentioned: false,
    attachments: [],
  },
});

interface Places {
  readonly db: string;
  readonly workDir: string;
  readonly copy: string;
  /** A fresh file, being made. */
  readonly draft: string;
  /** A fresh file, complete: it only has to be put in its place. */
  readonly ready: string;
}

export class InboundRepair {
  readonly #deps: InboundRepairDeps;

  constructor(deps: InboundRepairDeps) {
    this.#deps = deps;
  }

  /**
   * `hasAllAcks`: outbound.db tells what was answered. `tell` is called with what could not be saved, before the fresh
   * file is in its place. Throws what reading and writing files throws.
   */
  async mend(
    session: Session,
    hasAllAcks: boolean,
    tell: (lost: readonly LostMessage[], unknown: readonly string[]) => void,
  ): Promise<InboundMend> {
    const { folders, inboundMigrations, clock } = this.#deps;
    const places = this.#placesOf(session.id);
    await this.#finishEarlier(places);
    await emptyWorkDir(places.workDir);
    const source = await copyDatabase(places);
    const salvage = await rebuildInbound(source, places.draft, inboundMigrations);
    const lost = await findLostMessages(this.#deps, session, salvage.messages, hasAllAcks);
    const sends = await this.#surveySends(session, places, salvage);
    const tasks = this.#missingTasks(session, salvage);
    await this.#amend(session, places, lost, sends, tasks);
    this.#project(session, places, salvage);
    await rename(places.draft, places.ready);
    tell(lost, sends.unknown);
    const now = isoAt(clock.now());
    const keptAs = await setFileAside(places.db, folders.damagedDir(session.id), now);
    folders.ensureInbound(session.id);
    await install(places.ready, places.db);
    return { salvage, lost, unknown: sends.unknown, taskCount: tasks.length, keptAs };
  }

  /** A crash came between setting the old file aside and putting the new one in its place. */
  async #finishEarlier({ db, ready }: Places): Promise<void> {
    if (findStat(ready) !== undefined && findStat(db) === undefined) await install(ready, db);
  }

  async #surveySends(
    session: Session,
    { draft }: Places,
    salvage: InboundSalvage,
  ): Promise<SentSurvey> {
    if (salvage.hasAllDeliveries) return { sent: [], unknown: [] };
    return await surveySent(this.#deps, session.id, draft, salvage.messages);
  }

  /** What is planned stands in the central database too. */
  #missingTasks({ id }: Session, { messages }: InboundSalvage): readonly Task[] {
    return this.#deps.store.tasks
      .listForSession(id)
      .filter(({ messageId, pausedAt }) => pausedAt === null && !messages.has(messageId));
  }

  async #amend(
    session: Session,
    { draft }: Places,
    lost: readonly LostMessage[],
    { sent, unknown }: SentSurvey,
    tasks: readonly Task[],
  ): Promise<void> {
    const { store, mailbox, clock } = this.#deps;
    const outboundMaxSeq = await mailbox.outbound(session.id, 'maxSeq');
    amendInbound(draft, {
      messages: [
        ...lost.map(toPlaceholder),
        ...tasks.map((task) => toTaskRow(store, session, task)),
      ],
      deliveries: [
        ...sent.map((messageOutId) => ({ messageOutId, status: 'delivered' as const })),
        ...unknown.map((messageOutId) => ({ messageOutId, status: 'failed' as const })),
      ],
      outboundMaxSeq,
      nowMs: clock.now(),
    });
  }

  #project(session: Session, { draft }: Places, { routing }: InboundSalvage): void {
    const projection = this.#deps.sessions.projectionOf(session);
    new InboundWriter(new InboundHandle(draft)).project({
      ...(routing === undefined ? {} : { routing }),
      ...projection,
    });
  }

  #placesOf(sessionId: string): Places {
    const { folders } = this.#deps;
    const workDir = join(folders.repairDir(sessionId), 'in');
    return {
      db: inboundDbPath(folders.inDir(sessionId)),
      workDir,
      copy: join(workDir, 'copy.db'),
      draft: join(workDir, 'draft.db'),
      ready: join(workDir, 'ready.db'),
    };
  }
}

function toPlaceholder({
  messageId,
  receivedAt,
  address,
}: LostMessage): InboundAmendment['messages'][number] {
  return {
    id: messageId,
    kind: 'chat',
    timestamp: receivedAt,
    status: 'failed',
    processAfter: null,
    recurrence: null,
    address,
    content: placeholder,
  };
}

/** Undefined where there is nothing to copy. A journal that the host itself left is rolled back in the copy. */
async function copyDatabase({ db, copy }: Places): Promise<string | undefined> {
  const copied: Copied = await copyOrdinary(db, copy, maxDbBytes);
  if (copied !== 'copied') return undefined;
  const journal = await copyOrdinary(`${db}-journal`, `${copy}-journal`, maxDbBytes);
  // Somebody has put the file into WAL mode: a part of it stands in there.
  const log = await copyOrdinary(`${db}-wal`, `${copy}-wal`, maxDbBytes);
  if (journal !== 'copied' && log !== 'copied') return copy;
  try {
    withDatabase(copy, { mode: 'write', busyTimeoutMs: 0 }, (it) => {
      it.prepare('SELECT count(*) FROM sqlite_schema').get();
    });
  } catch {
    // It is damaged: what can be read of it is found out next.
  }
  return copy;
}
