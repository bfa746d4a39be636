/**
 * Files that a container wants to send. Paths are the container's word: a file is taken only when it is an ordinary
 * file of the agent's own in the message's outbox folder, and what is sent is a copy that the container cannot change.
 * All refusals of what lies there sound the same: they must not tell an agent what there is on the host.
 */
import { basename, join } from 'node:path';
import { BerthError, errnoOf, hasCode, toBerthError } from '../../../shared/base/errors.js';
import type { Logger } from '../../../shared/base/logger.js';
import { outboxRoot } from '../../../shared/protocol/workspace.js';
import type { OutboundFile } from '../../channels/channel.js';
import {
  noProcReason,
  withConfinedFile,
  type ConfinedFile,
} from '../../sessions/files/confined-file.js';
import {
  defaultFileLimits,
  FileBudget,
  quoteName,
  type CountedFile,
  type FileLimits,
} from './file-budget.js';
import { copyContents, isCopyOf } from './file-copy.js';

export interface OutboxFilesDeps {
  /** A session's out/ folder. */
  readonly outDir: (sessionId: string) => string;
  /** The folder of the copies of a session's sent files; never mounted. */
  readonly sentDir: (sessionId: string) => string;
  /** The user that agents run as; undefined: the owner of out/. */
  readonly agentUid?: number | undefined;
  readonly fileLimits?: FileLimits;
  /** In the place of `/proc/self/fd`. */
  readonly descriptorsDir?: string | undefined;
  readonly log: Logger;
}

interface FoundFile extends CountedFile {
  readonly ino: bigint;
}

/** The folder of one message's files, and the folder that its copies go to. */
interface Places {
  readonly sessionId: string;
  readonly messageId: string;
  readonly sentDir: string;
}

export class OutboxFiles {
  readonly #deps: OutboxFilesDeps;
  readonly #limits: FileLimits;
  readonly #budget: FileBudget;

  constructor(deps: OutboxFilesDeps) {
    this.#deps = deps;
    this.#limits = deps.fileLimits ?? defaultFileLimits;
    this.#budget = new FileBudget({
      ...deps,
      limits: this.#limits,
      monotonicNow: () => performance.now(),
    });
  }

  /**
   * Copies the named files of a message; what an earlier try has copied is not copied again. Throws file_refused where
   * one of them will never be sent, and disk_full or io_failed where that may pass.
   */
  async take(
    sessionId: string,
    messageId: string,
    names: readonly string[],
  ): Promise<readonly OutboundFile[]> {
    if (names.length === 0) return [];
    const { messageFiles } = this.#limits;
    if (names.length > messageFiles) {
      throw new BerthError(
        'file_refused',
        `A message may carry ${messageFiles} files at the most.`,
      );
    }
    const places = { sessionId, messageId, sentDir: this.#deps.sentDir(sessionId) };
    const found: FoundFile[] = [];
    for (const name of new Set(names)) found.push(await this.#find(places, name));
    await this.#budget.admit(sessionId, found);
    for (const file of found) if (!file.isCopied) await this.#copy(places, file);
    return names.map((name) => ({ name, path: targetOf(places, name) }));
  }

  async #find(places: Places, name: string): Promise<FoundFile> {
    return await this.#open(places, name, async ({ stat }) => ({
      name,
      size: Number(stat.size),
      ino: stat.ino,
      isCopied: await isCopyOf(targetOf(places, name), stat),
    }));
  }

  async #copy(places: Places, { name, ino, size }: FoundFile): Promise<void> {
    await this.#open(places, name, async ({ handle, stat }) => {
      if (stat.ino !== ino || stat.size < size) {
        throw new BerthError(
          'io_failed',
          `The file ${quoteName(name)} changed while it was copied.`,
        );
      }
      const counted = { size: BigInt(size), mtimeNs: stat.mtimeNs };
      // No message has a name that begins with a dot.
      const draft = join(places.sentDir, `.draft-${places.messageId}`);
      await copyContents(handle, counted, targetOf(places, name), draft);
    });
  }

  /** Opens a file of the message, and says what goes wrong without saying what lies there. */
  async #open<T>(
    places: Places,
    name: string,
    use: (file: ConfinedFile) => Promise<T>,
  ): Promise<T> {
    const { outDir, agentUid, descriptorsDir } = this.#deps;
    const { sessionId, messageId } = places;
    try {
      assertPlainId(messageId);
      const folder = outDir(sessionId);
      const names = [basename(outboxRoot(folder)), messageId, name];
      return await withConfinedFile(folder, names, { isOwn: true, agentUid, descriptorsDir }, use);
    } catch (error) {
      throw this.#explain(error, places, name);
    }
  }

  #explain(error: unknown, { sessionId, messageId }: Places, name: string): BerthError {
    const { log } = this.#deps;
    const reason = reasonOf(error);
    log.warn({ sessionId, messageId, file: quoteName(name), reason }, 'file not copied');
    if (hasCode(error, 'file_refused')) return refusalOf(name, reason);
    if (error instanceof BerthError) return error;
    const { code } = toBerthError(error);
    const errno = errnoOf(error) ?? 'an unknown error';
    const message = `The file ${quoteName(name)} cannot be copied now (${errno}).`;
    return new BerthError(code, message, { cause: error });
  }
}

/** Message ids of a container name folders: nothing but a plain name will do. */
function assertPlainId(messageId: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(messageId)) return;
  const reason = 'its message id is not a plain name';
  throw new BerthError('file_refused', reason, { facts: { reason } });
}

function targetOf({ sentDir, messageId }: Places, name: string): string {
  return join(sentDir, messageId, name);
}

/** For the operator only. */
function reasonOf(error: unknown): string {
  if (!(error instanceof BerthError)) return String(error);
  return String(error.facts['reason'] ?? error.message);
}

function refusalOf(name: string, reason: string): BerthError {
  const why =
    reason === noProcReason
      ? 'this host sends no files, because /proc is missing there. Whoever runs Berth finds under “Files that agents send” in docs/operating.md what to do'
      : 'what is sent must be an ordinary file of the agent’s own, named plainly, in the outbox folder of its message';
  return new BerthError('file_refused', `The file ${quoteName(name)} was not sent: ${why}.`);
}
