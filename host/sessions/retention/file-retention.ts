/**
 * Takes away old folders of a session's messages: what came with them, what the agent sent, and the host's copies of
 * that. Only what belongs to no unfinished message goes. out/ is the container's: it is touched while none runs.
 */
import { lstatSync } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../../../shared/base/clock.js';
import { errnoOf, hasCode } from '../../../shared/base/errors.js';
import { delay } from '../../../shared/base/lifecycle.js';
import { inboxRoot, outboxRoot } from '../../../shared/protocol/workspace.js';
import type { Store } from '../../store/store.js';
import { withConfinedFolder, type ConfinedFolder } from '../files/confined-file.js';
import type { Mailbox } from '../mailbox/mailbox.js';
import type { SessionFolders } from '../session-folder.js';
import { childOf, type Trash } from './trash.js';

export interface FileRetentionDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly folders: SessionFolders;
  readonly trash: Trash;
  readonly clock: Clock;
}

/** Names of a folder, each byte a character; see childOf. */
type Names = readonly string[];

/** Returns how many of them went. */
type Take = (folder: ConfinedFolder, names: Names) => Promise<number>;

const namesAtOnce = 50;
const pauseMs = 10;

export class FileRetention {
  readonly #deps: FileRetentionDeps;

  constructor(deps: FileRetentionDeps) {
    this.#deps = deps;
  }

  /** `keepMs`: how long a folder is kept after it was last changed. Returns how many entries went. */
  async prune(sessionId: string, keepMs: number, signal: AbortSignal): Promise<number> {
    const { folders, clock } = this.#deps;
    const cutoffMs = clock.now() - keepMs;
    let count = 0;
    const walk = async (place: string, take: Take): Promise<void> => {
      await inFolder(place, async (folder) => {
        for await (const names of listInBatches(folder, signal)) count += await take(folder, names);
      });
    };
    await walk(inboxRoot(folders.inDir(sessionId)), async (inbox, names) => {
      const old = await listOld(inbox, names, cutoffMs);
      return this.#takeAll(inbox, await this.#withoutUnfinished(sessionId, old));
    });
    await walk(join(folders.folderOf(sessionId), 'sent'), async (sent, names) => {
      const old = await listOld(sent, names, cutoffMs);
      return this.#takeAll(sent, await this.#withoutUnsettled(sessionId, old));
    });
    await walk(outboxRoot(folders.outDir(sessionId)), async (outbox, names) => {
      const settled = await this.#withoutUnsettled(sessionId, names);
      return this.#takeFromOutbox(sessionId, outbox, settled, cutoffMs);
    });
    return count;
  }

  #takeAll({ path }: ConfinedFolder, names: Names): number {
    for (const name of names) this.#deps.trash.take(childOf(Buffer.from(path), name));
    return names.length;
  }

  /** In one piece without a pause: the daemon starts no container in between. */
  #takeFromOutbox(
    sessionId: string,
    outbox: ConfinedFolder,
    names: Names,
    cutoffMs: number,
  ): number {
    const { store } = this.#deps;
    if (store.sessions.find(sessionId)?.containerStatus !== 'stopped') return 0;
    if (!outbox.isInPlace()) return 0;
    // The time of the last change cannot be set by a program, unlike that of the last writing.
    const old = names.filter((name) => {
      const path = childOf(Buffer.from(outbox.path), name);
      return (lstatSync(path, { throwIfNoEntry: false })?.ctimeMs ?? Infinity) < cutoffMs;
    });
    return this.#takeAll(outbox, old);
  }

  async #withoutUnfinished(sessionId: string, names: Names): Promise<Names> {
    if (names.length === 0) return names;
    const { mailbox } = this.#deps;
    const unfinished = await mailbox.inbound(sessionId, 'findUnfinished', names);
    // Asked for last: what is given up meanwhile is noted there before it is final.
    const kept = this.#listDeadLetters(sessionId, 'in');
    return names.filter((name) => !unfinished.has(name) && !kept.has(name));
  }

  /** A message is settled when its outcome is final, or when it is gone; a name that is none never was one. */
  async #withoutUnsettled(sessionId: string, names: Names): Promise<Names> {
    if (names.length === 0) return names;
    const { mailbox } = this.#deps;
    const settled = await mailbox.inbound(sessionId, 'findSettledOut', names);
    const open = names.filter((name) => !settled.has(name));
    const existing = await mailbox.outbound(sessionId, 'findExisting', open);
    const kept = this.#listDeadLetters(sessionId, 'out');
    return names.filter((name) => !existing.has(name) && !kept.has(name));
  }

  /** A person may still want to try these again, with their files. */
  #listDeadLetters(sessionId: string, direction: 'in' | 'out'): ReadonlySet<string> {
    const letters = this.#deps.store.deadLetters.listForSession(sessionId);
    return new Set(
      letters.filter((letter) => letter.direction === direction).map(({ messageId }) => messageId),
    );
  }
}

/** Nothing is done where there is none, or something else in its place. */
async function inFolder(
  path: string,
  use: (folder: ConfinedFolder) => Promise<void>,
): Promise<void> {
  try {
    await withConfinedFolder(dirname(path), [basename(path)], use);
  } catch (error) {
    if (!hasCode(error, 'file_refused')) throw error;
  }
}

/** A folder may hold any number of entries. */
async function* listInBatches(
  { path }: ConfinedFolder,
  signal: AbortSignal,
): AsyncGenerator<Names> {
  try {
    let names: string[] = [];
    for await (const { name } of await opendir(path.toString(), { encoding: 'latin1' })) {
      if (signal.aborted) return;
      names.push(name);
      if (names.length < namesAtOnce) continue;
      yield names;
      names = [];
      await delay(pauseMs, signal);
    }
    yield names;
  } catch (error) {
    // It was taken away meanwhile.
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

async function listOld({ path }: ConfinedFolder, names: Names, cutoffMs: number): Promise<Names> {
  const old: string[] = [];
  for (const name of names) {
    const { ctimeMs } = await lstat(childOf(Buffer.from(path), name));
    if (ctimeMs < cutoffMs) old.push(name);
  }
  return old;
}
