/**
 * The host's half of the protocol, for all sessions. A locked file is tried again within milliseconds without
 * holding up anybody; a damaged one is that session's trouble alone.
 */
import { BerthError, hasCode } from '../../../shared/base/errors.js';
import { delay } from '../../../shared/base/lifecycle.js';
import type { Migration } from '../../../shared/base/sqlite/migrate.js';
import { isThere } from '../../../shared/base/sqlite/sqlite.js';
import type { OpenInbound } from '../../../shared/protocol/mailbox/inbound-rows.js';
import type { InboundSettlement } from '../../../shared/protocol/mailbox/inbound-settlement.js';
import { linkView } from '../../../shared/protocol/mailbox/outbound-view.js';
import type {
  Address,
  Destination,
  InboundStatus,
} from '../../../shared/protocol/session-message.js';
import { inboundDbPath, outboundDbPath } from '../../../shared/protocol/workspace.js';
import type { InboundArgs, InboundCallName, InboundPort, InboundResult } from './inbound-calls.js';
import { LockPatience, type BlockedAnswer } from './lock-patience.js';
import { PostQueue, type Post } from './post-queue.js';
import type { ReaderResults } from '../reader/reader-answers.js';
import { placeOf, type ReaderArgs, type ReaderCallName } from '../reader/reader-calls.js';
import type { OutboundPort } from '../reader/reader-pool.js';
import type { SessionFolders } from '../session-folder.js';

export type { Post } from './post-queue.js';

export interface MailboxDeps {
  readonly folders: SessionFolders;
  readonly inboundFiles: InboundPort;
  readonly outboundFiles: OutboundPort;
  readonly inboundMigrations: readonly Migration[];
  /** How long to try a locked file before giving up with database_busy, in milliseconds. */
  readonly lockTimeoutMs: number;
  /** Called when a message cannot be written because of damage; without it, nothing. */
  readonly recovery?: MailboxRecovery;
  /**
   * Called when somebody holds a lock on the session's inbound.db, at `path`, for much longer than a commit takes:
   * finds out who, and what to do about it. Must not reject.
   */
  readonly onBlocked?: (sessionId: string, path: string) => Promise<BlockedAnswer>;
  /** The system has run short of something. True: some of it was given back, so that another try may go well. */
  readonly onShort?: (reason: string) => boolean;
}

export interface MailboxRecovery {
  /** Messages wait in the session: where its inbound.db is missing, it was lost. */
  isInUse(sessionId: string): boolean;
  /** Resolves when it may be tried once more. */
  restore(sessionId: string, error: unknown): Promise<void>;
}

/** A commit takes a few milliseconds: so often a file is tried again at once, and then more and more slowly. */
const commitTries = 8;
const longestPauseMs = 25;

/** A damaged file is repaired or not; one that is out of reach may come back, and is waited for. */
function restoresFor(error: unknown): number {
  if (hasCode(error, 'database_unreadable')) return 4;
  return hasCode(error, 'database_corrupt', 'database_missing') ? 1 : 0;
}

/** The system has said itself that something has run short. */
function isShort(error: unknown): error is BerthError {
  return hasCode(error, 'resources_short') && error.facts['errno'] !== undefined;
}

export class Mailbox {
  readonly #deps: MailboxDeps;
  readonly #posts: PostQueue;
  /** Sessions whose inbound.db is being worked on, until when. */
  readonly #held = new Map<string, Promise<void>>();
  /** The highest seq that is known of a session's outbound.db. */
  readonly #outboundSeqs = new Map<string, number>();
  /** Ids of rows that were open when a session was last settled, and of those that came since. */
  readonly #openIds = new Map<string, string[]>();

  constructor(deps: MailboxDeps) {
    this.#deps = deps;
    this.#posts = new PostQueue((sessionId, posts) => this.#appendAfterAll(sessionId, posts));
  }

  /**
   * Writes a message into a session's inbound.db, made when missing. Resolves when it is on disk: false where one with its
   * id was there already, which is left as it is. Messages keep the
   * order of the calls; what comes while a write waits goes into one transaction with the next. It never waits for
   * outbound.db: see maxOutboundSeq.
   */
  post(sessionId: string, post: Post): Promise<boolean> {
    return this.#posts.add(sessionId, post);
  }

  /** Makes a session's inbound.db unless it is there. */
  async ensure(sessionId: string): Promise<void> {
    const { folders, inboundMigrations: migrations, recovery } = this.#deps;
    // A fresh file would not know what waits, nor what has been delivered: that would be lost, or sent again.
    const wasUsed =
      isThere(outboundDbPath(folders.outDir(sessionId))) || recovery?.isInUse(sessionId) === true;
    await this.inbound(sessionId, 'create', { migrations, wasUsed });
  }

  /** Messages that come meanwhile wait behind it, so that the order holds. */
  async #appendAfterAll(sessionId: string, posts: readonly Post[]): Promise<readonly string[]> {
    const { recovery } = this.#deps;
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#append(sessionId, posts);
      } catch (error) {
        if (recovery === undefined || tries > restoresFor(error)) throw error;
        await recovery.restore(sessionId, error);
      }
    }
  }

  async #append(sessionId: string, posts: readonly Post[]): Promise<readonly string[]> {
    const rows = posts.map(({ row }) => row);
    await this.#held.get(sessionId);
    if (!isThere(this.#pathOf(sessionId))) await this.ensure(sessionId);
    const outboundMaxSeq = this.maxOutboundSeq(sessionId);
    const request = { ...posts.at(-1), rows, outboundMaxSeq };
    const added = await this.inbound(sessionId, 'append', request);
    this.#openIds.get(sessionId)?.push(...added);
    return added;
  }

  /** As the call: returns the rows that are open afterwards. */
  async settle(sessionId: string, settlement: InboundSettlement): Promise<readonly OpenInbound[]> {
    const open = await this.inbound(sessionId, 'settle', settlement);
    const ids = open.map(({ id }) => id);
    this.#openIds.set(sessionId, ids);
    return open;
  }

  /** Messages that are probably open, so that their acks can be asked for at once; undefined: not known. */
  probablyOpen(sessionId: string): readonly string[] | undefined {
    const ids = this.#openIds.get(sessionId);
    return ids === undefined ? undefined : [...ids];
  }

  /** Brings a session's routing and destinations up to date; no effect where nothing differs or nothing is there. */
  async project(
    sessionId: string,
    projection: { routing?: Address; destinations?: readonly Destination[] },
  ): Promise<void> {
    await this.inbound(sessionId, 'project', projection);
  }

  /** Returns what has become of a message; undefined where the session does not know it, or cannot be read. */
  async findStatus(sessionId: string, messageId: string): Promise<InboundStatus | undefined> {
    try {
      return await this.inbound(sessionId, 'findStatus', messageId);
    } catch (error) {
      if (hasCode(error, 'database_missing', 'database_corrupt', 'database_unreadable'))
        return undefined;
      throw error;
    }
  }

  /**
   * Uses inbound.db. Calls are done in their order; whoever goes on without a pause when one is answered has seen
   * everything that was called for, and answered, before.
   */
  inbound<K extends InboundCallName>(
    sessionId: string,
    name: K,
    ...args: InboundArgs<K>
  ): Promise<InboundResult<K>> {
    const path = this.#pathOf(sessionId);
    return this.#patiently(sessionId, () => this.#deps.inboundFiles.call(path, name, args));
  }

  /** As `inbound`, for the one who holds it. */
  inboundHeld<K extends InboundCallName>(
    sessionId: string,
    name: K,
    ...args: InboundArgs<K>
  ): Promise<InboundResult<K>> {
    const path = this.#pathOf(sessionId);
    return this.#patiently(undefined, () => this.#deps.inboundFiles.call(path, name, args));
  }

  /** Reads outbound.db. */
  async outbound<K extends ReaderCallName>(
    sessionId: string,
    name: K,
    ...args: ReaderArgs<K>
  ): Promise<ReaderResults[K]> {
    return await this.#patiently(undefined, () => this.#read(sessionId, name, args));
  }

  /** A page of outbound.db; undefined while the runner has written nothing. Throws database_corrupt where it does not go on. */
  async readPage(
    sessionId: string,
    request: ReaderArgs<'readPage'>[0],
  ): Promise<ReaderResults['readPage']> {
    const page = await this.outbound(sessionId, 'readPage', request);
    this.#outboundSeqs.set(sessionId, page?.maxSeq ?? 0);
    const first = page?.rows[0];
    if (first !== undefined && first.seq <= request.after) {
      const path = outboundDbPath(this.#deps.folders.outDir(sessionId));
      const message = 'The messages in outbound.db are out of order.';
      throw new BerthError('database_corrupt', message, { facts: { path } });
    }
    return page;
  }

  /** The highest seq of outbound.db that is known: new rows of inbound.db come after it. 0 where nothing is known. */
  maxOutboundSeq(sessionId: string): number {
    return this.#outboundSeqs.get(sessionId) ?? 0;
  }

  /** The session is not used any more, or its files are worked on by other means: no file of it stays open. */
  async release(sessionId: string): Promise<void> {
    this.#outboundSeqs.delete(sessionId);
    this.#openIds.delete(sessionId);
    await this.#deps.inboundFiles.release(this.#pathOf(sessionId));
  }

  /**
   * Until the returned function is called, whoever wants to use this session's inbound.db waits. For a repair, which
   * has `inboundHeld` for itself.
   */
  hold(sessionId: string): () => void {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#held.set(sessionId, held);
    return () => {
      if (this.#held.get(sessionId) === held) this.#held.delete(sessionId);
      release();
    };
  }

  #pathOf(sessionId: string): string {
    return inboundDbPath(this.#deps.folders.inDir(sessionId));
  }

  /** The reader may not make the file's second name: that is done here, and opens nothing. */
  async #read<K extends ReaderCallName>(
    sessionId: string,
    name: K,
    args: ReaderArgs<K>,
  ): Promise<ReaderResults[K]> {
    const { folders, outboundFiles } = this.#deps;
    const place = placeOf(sessionId);
    try {
      return await outboundFiles.ask(sessionId, place, name, args);
    } catch (error) {
      if (!(error instanceof BerthError) || error.facts['needsView'] !== true) throw error;
      const path = outboundDbPath(folders.outDir(sessionId));
      const isLinked = linkView(path, folders.viewDir(sessionId)) !== path;
      const linked = isLinked ? place : { ...place, viewDir: null };
      return await outboundFiles.ask(sessionId, linked, name, args);
    }
  }

  /** `sessionId`: it has to wait where that one's inbound.db is held. */
  async #patiently<T>(sessionId: string | undefined, use: () => Promise<T>): Promise<T> {
    const { onShort } = this.#deps;
    const patience = new LockPatience(this.#deps.lockTimeoutMs, this.#helpFor(sessionId));
    for (let attempt = 0; ; attempt += 1) {
      const held = sessionId === undefined ? undefined : this.#held.get(sessionId);
      if (held !== undefined) await held;
      try {
        return await use();
      } catch (error) {
        if (isShort(error) && onShort?.(error.message) === true) continue;
        if (!hasCode(error, 'database_busy')) throw error;
        patience.assertLeft(error);
      }
      await delay(Math.min(Math.max(1, attempt - commitTries), longestPauseMs));
    }
  }

  #helpFor(sessionId: string | undefined): (() => Promise<BlockedAnswer>) | undefined {
    const { onBlocked } = this.#deps;
    if (sessionId === undefined || onBlocked === undefined) return undefined;
    return () => onBlocked(sessionId, this.#pathOf(sessionId));
  }
}
