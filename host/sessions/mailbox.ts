/**
 * The host's half of the protocol, for all sessions. A locked file is tried again within milliseconds without
 * holding up the thread; a damaged one is that session's trouble alone.
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { BerthError, errnoOf, hasCode } from '../../shared/base/errors.js';
import { delay } from '../../shared/base/lifecycle.js';
import type { Migration } from '../../shared/base/migrate.js';
import { InboundPruner } from '../../shared/protocol/inbound-pruner.js';
import { InboundReopener } from '../../shared/protocol/inbound-reopener.js';
import { InboundWriter, type NewInboundRow } from '../../shared/protocol/inbound-writer.js';
import { OutboundReader } from '../../shared/protocol/outbound-reader.js';
import type { Address, Destination, InboundStatus } from '../../shared/protocol/session-message.js';
import { inboundDbPath, outboundDbPath } from '../../shared/protocol/workspace.js';
import type { SessionFolders } from './session-folder.js';

export interface MailboxDeps {
  readonly folders: SessionFolders;
  readonly inboundMigrations: readonly Migration[];
  /** How long to try a locked file before giving up with database_busy, in milliseconds. */
  readonly lockTimeoutMs: number;
  /** What to do when a message cannot be written because of damage; without it, nothing. */
  readonly recovery?: MailboxRecovery;
  /**
   * Somebody holds a lock on the session's inbound.db for much longer than a commit takes. True: its container is ended
   * because of that, so that waiting is of use.
   */
  readonly onBlocked?: (sessionId: string) => boolean;
}

export interface MailboxRecovery {
  /** Messages wait in the session: where its inbound.db is missing, it was lost. */
  isInUse(sessionId: string): boolean;
  /** Resolves when it may be tried once more. */
  restore(sessionId: string, error: unknown): Promise<void>;
}

export interface Post {
  readonly row: NewInboundRow;
  readonly routing?: Address;
  readonly destinations?: readonly Destination[];
}

interface WaitingPost {
  readonly post: Post;
  readonly resolve: (isNew: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** A commit takes a few milliseconds: so often a file is tried again at once, and then more and more slowly. */
const commitTries = 8;
const longestPauseMs = 25;

/** How long half of a commit is waited for, in milliseconds. */
const journalPatienceMs = 1_000;

export class Mailbox {
  readonly #deps: MailboxDeps;
  /** Posts that are not on disk yet, by session, in their order. */
  readonly #waiting = new Map<string, WaitingPost[]>();
  /** Sessions whose inbound.db is being worked on, until when. */
  readonly #held = new Map<string, Promise<void>>();

  constructor(deps: MailboxDeps) {
    this.#deps = deps;
  }

  /**
   * Writes a message into a session's inbound.db, made when missing. Resolves when it is on disk: false where one with its
   * id was there already, which is left as it is. Messages keep the
   * order of the calls; what comes while a write waits goes into one transaction with the next.
   */
  post(sessionId: string, post: Post): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(sessionId);
      if (waiting === undefined) {
        this.#waiting.set(sessionId, [{ post, resolve, reject }]);
        void this.#flush(sessionId);
      } else {
        waiting.push({ post, resolve, reject });
      }
    });
  }

  /** Makes a session's inbound.db unless it is there. */
  ensure(sessionId: string): void {
    const path = inboundDbPath(this.#deps.folders.inDir(sessionId));
    if (!existsSync(path)) this.#create(sessionId, path);
  }

  async #flush(sessionId: string): Promise<void> {
    // What is posted in the same turn of the event loop comes along.
    await new Promise((resolve) => setImmediate(resolve));
    for (;;) {
      const batch = this.#waiting.get(sessionId) ?? [];
      if (batch.length === 0) break;
      this.#waiting.set(sessionId, []);
      try {
        const added = await this.#appendAfterAll(
          sessionId,
          batch.map(({ post }) => post),
        );
        for (const { resolve, post } of batch) resolve(added.includes(post.row.id));
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#waiting.delete(sessionId);
  }

  /** What comes meanwhile waits behind it, so that the order holds. */
  async #appendAfterAll(sessionId: string, posts: readonly Post[]): Promise<readonly string[]> {
    const { recovery } = this.#deps;
    try {
      return await this.#append(sessionId, posts);
    } catch (error) {
      const isDamage = hasCode(
        error,
        'database_corrupt',
        'database_missing',
        'database_unreadable',
      );
      if (recovery === undefined || !isDamage) throw error;
      await recovery.restore(sessionId, error);
      return await this.#append(sessionId, posts);
    }
  }

  async #append(sessionId: string, posts: readonly Post[]): Promise<readonly string[]> {
    const path = inboundDbPath(this.#deps.folders.inDir(sessionId));
    const writer = this.#writerOf(path);
    await this.#held.get(sessionId);
    if (!existsSync(path)) this.#create(sessionId, path);
    const outboundMaxSeq = await this.#findOutboundMaxSeq(sessionId);
    const rows = posts.map(({ row }) => row);
    return await this.#patiently(sessionId, () =>
      writer.append({ ...posts.at(-1), rows, outboundMaxSeq }),
    );
  }

  /** Under another name first: a crash or a full disk in the middle leaves no half of a file behind. */
  #create(sessionId: string, path: string): void {
    const { folders, inboundMigrations, recovery } = this.#deps;
    const wasUsed =
      existsSync(outboundDbPath(folders.outDir(sessionId))) || recovery?.isInUse(sessionId);
    if (wasUsed === true) {
      // A fresh file would not know what waits, nor what has been delivered: that would be lost, or sent again.
      throw new BerthError('database_missing', `${path} is gone.`, { facts: { path } });
    }
    makeFolder(() => {
      folders.ensureInbound(sessionId);
    }, path);
    const draft = `${path}.new`;
    for (const leftover of [draft, `${draft}-journal`]) rmSync(leftover, { force: true });
    new InboundWriter(draft).create(inboundMigrations);
    renameSync(draft, path);
  }

  /** Brings a session's routing and destinations up to date; no effect where nothing differs or nothing is there. */
  async project(
    sessionId: string,
    projection: { routing?: Address; destinations?: readonly Destination[] },
  ): Promise<void> {
    const path = inboundDbPath(this.#deps.folders.inDir(sessionId));
    if (!existsSync(path)) return;
    await this.#patiently(sessionId, () => {
      this.#writerOf(path).project(projection);
    });
  }

  /** What has become of a message; undefined where the session does not know it, or cannot be read. */
  async findStatus(sessionId: string, messageId: string): Promise<InboundStatus | undefined> {
    try {
      return await this.inbound(sessionId, (inbound) => inbound.findStatus(messageId));
    } catch (error) {
      if (hasCode(error, 'database_missing', 'database_corrupt', 'database_unreadable'))
        return undefined;
      throw error;
    }
  }

  /** Uses the host's half of inbound.db. `outboundMaxSeq` reads what a new row must come after. */
  async inbound<T>(
    sessionId: string,
    use: (writer: InboundWriter, outboundMaxSeq: () => number) => T,
  ): Promise<T> {
    const { folders } = this.#deps;
    const writer = this.#writerOf(inboundDbPath(folders.inDir(sessionId)));
    const reader = readerOf(folders, sessionId);
    return this.#patiently(sessionId, () =>
      writer.inOneOpening(() => use(writer, () => maxSeqOf(reader))),
    );
  }

  /** Takes away what is too old in inbound.db. */
  async prune<T>(sessionId: string, use: (pruner: InboundPruner) => T): Promise<T> {
    const pruner = new InboundPruner(inboundDbPath(this.#deps.folders.inDir(sessionId)));
    return this.#patiently(sessionId, () => use(pruner));
  }

  /** Takes back that something was given up. */
  async reopen<T>(sessionId: string, use: (reopener: InboundReopener) => T): Promise<T> {
    const reopener = new InboundReopener(inboundDbPath(this.#deps.folders.inDir(sessionId)));
    return this.#patiently(sessionId, () => use(reopener));
  }

  /** Looks into outbound.db. */
  async outbound<T>(sessionId: string, use: (reader: OutboundReader) => T): Promise<T> {
    const reader = readerOf(this.#deps.folders, sessionId);
    return this.#patiently(undefined, () => use(reader));
  }

  async #findOutboundMaxSeq(sessionId: string): Promise<number> {
    try {
      return await this.outbound(sessionId, maxSeqOf);
    } catch (error) {
      if (hasCode(error, 'database_busy')) return 0;
      throw error;
    }
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

  /** As `inbound`, for the one who holds it. */
  async inboundHeld<T>(sessionId: string, use: (writer: InboundWriter) => T): Promise<T> {
    const writer = this.#writerOf(inboundDbPath(this.#deps.folders.inDir(sessionId)));
    return this.#patiently(undefined, () => use(writer));
  }

  #writerOf(path: string): InboundWriter {
    return new InboundWriter(path, this.#deps.inboundMigrations);
  }

  /** `sessionId`: it has to wait where that one's inbound.db is held. */
  async #patiently<T>(sessionId: string | undefined, use: () => T): Promise<T> {
    const beganAt = performance.now();
    const patience = this.#newPatience(sessionId);
    for (let attempt = 0; ; attempt += 1) {
      const held = sessionId === undefined ? undefined : this.#held.get(sessionId);
      if (held !== undefined) await held;
      try {
        return use();
      } catch (error) {
        if (!hasCode(error, 'database_busy')) throw error;
        const waitedMs = performance.now() - beganAt;
        if (waitedMs > patience.allowMs(error, waitedMs)) throw error;
      }
      await delay(Math.min(Math.max(1, attempt - commitTries), longestPauseMs));
    }
  }

  /** How long in all to wait for a file, after the time that it took so far. */
  #newPatience(sessionId: string | undefined): {
    allowMs: (error: BerthError, waitedMs: number) => number;
  } {
    const { lockTimeoutMs, onBlocked } = this.#deps;
    let isHelped: boolean | undefined;
    return {
      allowMs: (error, waitedMs) => {
        // A journal that stays is a killed writer's: waiting for it keeps its repair from beginning.
        if (error.facts['journal'] === true) return Math.min(lockTimeoutMs, journalPatienceMs);
        if (sessionId !== undefined && waitedMs > lockTimeoutMs / 2) {
          isHelped ??= onBlocked?.(sessionId) ?? false;
        }
        return isHelped === true ? 3 * lockTimeoutMs : lockTimeoutMs;
      },
    };
  }
}

/** An outbound.db that cannot be read must not keep a message out: the host's own order holds then. */
function maxSeqOf(reader: OutboundReader): number {
  try {
    return reader.maxSeq();
  } catch (error) {
    if (hasCode(error, 'database_corrupt', 'database_unreadable')) return 0;
    throw error;
  }
}

/** Something else stands in the folder's place, or it may not be made. */
function makeFolder(make: () => void, path: string): void {
  try {
    make();
  } catch (cause) {
    if (!['ENOTDIR', 'EEXIST', 'EACCES', 'EPERM', 'ELOOP'].includes(errnoOf(cause) ?? ''))
      throw cause;
    throw new BerthError('database_unreadable', `The database ${path} cannot be made.`, {
      cause,
      facts: { path },
    });
  }
}

function readerOf(folders: SessionFolders, sessionId: string): OutboundReader {
  const path = outboundDbPath(folders.outDir(sessionId));
  return new OutboundReader(path, { viewDir: folders.viewDir(sessionId) });
}
