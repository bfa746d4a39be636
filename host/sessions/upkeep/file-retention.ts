/**
 * Takes away old folders of a session's messages: what came with them, what the agent sent, and the host's copies of
 * that. Only what belongs to no unfinished message goes. out/ is the container's: it is touched while none runs.
 */
import { lstatSync } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../shared/base/clock.js';
import { errnoOf } from '../../../shared/base/errors.js';
import { delay } from '../../../shared/base/lifecycle.js';
import { inboxRoot, outboxRoot } from '../../../shared/protocol/workspace.js';
import type { Store } from '../../store/store.js';
import type { Mailbox } from '../mailbox.js';
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
    const inbox = inboxRoot(folders.inDir(sessionId));
    const sent = join(folders.folderOf(sessionId), 'sent');
    const outbox = outboxRoot(folders.outDir(sessionId));
    let count = 0;
    const walk = async (dir: string, take: (names: Names) => Promise<number>): Promise<void> => {
      for await (const names of listInBatches(dir, signal)) count += await take(names);
    };
    await walk(inbox, async (names) => {
      const old = await listOld(inbox, names, cutoffMs);
      return this.#takeAll(inbox, await this.#withoutUnfinished(sessionId, old));
    });
    await walk(sent, async (names) => {
      const old = await listOld(sent, names, cutoffMs);
      return this.#takeAll(sent, await this.#withoutUnsettled(sessionId, old));
    });
    await walk(outbox, async (names) => {
      const settled = await this.#withoutUnsettled(sessionId, names);
      return this.#takeFromOutbox(sessionId, outbox, settled, cutoffMs);
    });
    return count;
  }

  #takeAll(dir: string, names: Names): number {
    for (const name of names) this.#deps.trash.take(childOf(Buffer.from(dir), name));
    return names.length;
  }

  /**
   * In one piece without a pause: the daemon starts no container in between, so that nobody can put a link in the place
   * of the outbox while entries are moved out of it.
   */
  #takeFromOutbox(sessionId: string, dir: string, names: Names, cutoffMs: number): number {
    const { store } = this.#deps;
    if (store.sessions.find(sessionId)?.containerStatus !== 'stopped') return 0;
    if (lstatSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) return 0;
    // The time of the last change cannot be set by a program, unlike that of the last writing.
    const old = names.filter((name) => {
      const path = childOf(Buffer.from(dir), name);
      return (lstatSync(path, { throwIfNoEntry: false })?.ctimeMs ?? Infinity) < cutoffMs;
    });
    return this.#takeAll(dir, old);
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

/** A folder may hold any number of entries. Nothing where there is none, or something else in its place. */
async function* listInBatches(path: string, signal: AbortSignal): AsyncGenerator<Names> {
  try {
    if (!(await lstat(path)).isDirectory()) return;
    let names: string[] = [];
    for await (const { name } of await opendir(path, { encoding: 'latin1' })) {
      if (signal.aborted) return;
      names.push(name);
      if (names.length < namesAtOnce) continue;
      yield names;
      names = [];
      await delay(pauseMs, signal);
    }
    yield names;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

async function listOld(dir: string, names: Names, cutoffMs: number): Promise<Names> {
  const old: string[] = [];
  for (const name of names) {
    const { ctimeMs } = await lstat(childOf(Buffer.from(dir), name));
    if (ctimeMs < cutoffMs) old.push(name);
  }
  return old;
}
