/**
 * The host's half of the protocol, for all sessions. A locked file is tried again within milliseconds without
 * holding up the thread; a damaged one is that session's trouble alone.
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { BerthError, hasCode } from '../../shared/base/errors.js';
import { delay } from '../../shared/base/lifecycle.js';
import type { Migration } from '../../shared/base/migrate.js';
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
}

export interface Post {
  readonly row: NewInboundRow;
  readonly routing?: Address;
  readonly destinations?: readonly Destination[];
}

interface WaitingPost {
  readonly post: Post;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Mailbox {
  readonly #deps: MailboxDeps;
  /** Posts that are not on disk yet, by session, in their order. */
  readonly #waiting = new Map<string, WaitingPost[]>();

  constructor(deps: MailboxDeps) {
    this.#deps = deps;
  }

  /**
   * Writes a message into a session's inbound.db, made when missing. Resolves when it is on disk. Messages keep the
   * order of the calls; what comes while a write waits goes into one transaction with the next.
   */
  post(sessionId: string, post: Post): Promise<void> {
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

  async #flush(sessionId: string): Promise<void> {
    // What is posted in the same turn of the event loop comes along.
    await new Promise((resolve) => setImmediate(resolve));
    for (;;) {
      const batch = this.#waiting.get(sessionId) ?? [];
      if (batch.length === 0) break;
      this.#waiting.set(sessionId, []);
      try {
        await this.#append(
          sessionId,
          batch.map(({ post }) => post),
        );
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#waiting.delete(sessionId);
  }

  async #append(sessionId: string, posts: readonly Post[]): Promise<void> {
    const path = inboundDbPath(this.#deps.folders.inDir(sessionId));
    const writer = new InboundWriter(path);
    if (!existsSync(path)) this.#create(sessionId, path);
    const outboundMaxSeq = await this.#findOutboundMaxSeq(sessionId);
    const rows = posts.map(({ row }) => row);
    await this.#patiently(() => writer.append({ ...posts.at(-1), rows, outboundMaxSeq }));
  }

  /** Under another name first: a crash or a full disk in the middle leaves no half of a file behind. */
  #create(sessionId: string, path: string): void {
    const { folders, inboundMigrations } = this.#deps;
    if (existsSync(outboundDbPath(folders.outDir(sessionId)))) {
      // A fresh file would not know what has been delivered, and all of it would be sent again.
      throw new BerthError('database_corrupt', `${path} is gone, and outbound.db is still there.`);
    }
    folders.ensureInbound(sessionId);
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
    await this.#patiently(() => {
      new InboundWriter(path).project(projection);
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

  /** Uses the host's half of inbound.db. */
  async inbound<T>(sessionId: string, use: (writer: InboundWriter) => T): Promise<T> {
    const writer = new InboundWriter(inboundDbPath(this.#deps.folders.inDir(sessionId)));
    return this.#patiently(() => use(writer));
  }

  /** Looks into outbound.db. */
  async outbound<T>(sessionId: string, use: (reader: OutboundReader) => T): Promise<T> {
    const reader = new OutboundReader(outboundDbPath(this.#deps.folders.outDir(sessionId)));
    return this.#patiently(() => use(reader));
  }

  /** An outbound.db that cannot be read must not keep a message out: the host's own order holds then. */
  async #findOutboundMaxSeq(sessionId: string): Promise<number> {
    try {
      return await this.outbound(sessionId, (reader) => reader.maxSeq());
    } catch (error) {
      if (hasCode(error, 'database_corrupt', 'database_unreadable', 'database_busy')) return 0;
      throw error;
    }
  }

  async #patiently<T>(use: () => T): Promise<T> {
    const givesUpAt = performance.now() + this.#deps.lockTimeoutMs;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return use();
      } catch (error) {
        if (!hasCode(error, 'database_busy') || performance.now() > givesUpAt) throw error;
      }
      await delay(Math.min(1 + attempt, 25));
    }
  }
}
