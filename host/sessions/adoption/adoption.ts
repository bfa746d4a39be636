/**
 * After a start: central.db may be older than the sessions' folders, as after a restore. Folders that are newer than
 * its own word and of no session that it knows are adopted from what their files say; sessions that it knows, and whose
 * files are newer, are read. Sessions that were taken off the lists before stay off them: they are older.
 */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { isoAt } from '../../../shared/base/clock.js';
import { toBerthError } from '../../../shared/base/errors.js';
import { Deadline, delay } from '../../../shared/base/lifecycle.js';
import { inboundDbPath, outboundDbPath } from '../../../shared/protocol/workspace.js';
import type { Nudges } from '../nudges.js';
import type { DaemonStatus } from '../../store/daemon-status.js';
import { adoptFolder, type AdoptFolderDeps, type FolderOutcome } from './adopt-folder.js';
import { describeAdoption, describeFolderless, type Refused } from './adoption-words.js';
import { madeAtMs, writtenAtMs } from './made-at.js';

export interface AdoptionDeps extends AdoptFolderDeps {
  readonly sessionsDir: string;
  /** How long a start waits for it, in milliseconds. */
  readonly waitMs: number;
  readonly status: Pick<DaemonStatus, 'remark'>;
  /** Brings the index of tasks in line with a session's files. */
  readonly checkTasks: (sessionId: string) => Promise<readonly string[]>;
  readonly nudges: Pick<Nudges, 'container'>;
}

const idsAtOnce = 500;
const sessionsAtOnce = 50;
const pauseMs = 20;
const maxTaskChecks = 3;
const settlingMs = 200;

export class Adoption {
  readonly #deps: AdoptionDeps;
  readonly #stopping = new AbortController();
  #adopting: Promise<void> = Promise.resolve();
  #catchingUp: Promise<void> = Promise.resolve();

  constructor(deps: AdoptionDeps) {
    this.#deps = deps;
  }

  /** Adopts folders that are of no session. Resolves at the end, or after waitMs. Never rejects. */
  async begin(): Promise<void> {
    this.#adopting = this.#guard(() => this.#adoptFolders());
    await new Deadline(this.#deps.waitMs).wait(this.#adopting);
  }

  /** After that: goes slowly through the sessions that are known; resolves at the end. Never rejects. */
  catchUp(): Promise<void> {
    this.#catchingUp = this.#guard(async () => {
      await this.#adopting;
      await this.#catchUp();
    });
    return this.#catchingUp;
  }

  /** Resolves after the session at hand: the next daemon begins again. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([this.#adopting, this.#catchingUp]);
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (err) {
      this.#deps.log.error({ err }, 'folders of sessions could not be compared');
    }
  }

  async #adoptFolders(): Promise<void> {
    const { store, clock, log, status } = this.#deps;
    const { since } = store.daemonState.findAdoption();
    // Folders before rows: a session begins with its row.
    const names = await this.#listFolders();
    await this.#nameFolderless(new Set(names));
    const { newer, older } = await this.#listUnknown(names);
    if (older.length > 0) {
      const sessionIds = older.slice(0, idsAtOnce);
      log.info({ count: older.length, sessionIds }, 'folders of sessions that are off the lists');
    }
    const outcomes: (readonly [sessionId: string, outcome: FolderOutcome])[] = [];
    for (const sessionId of newer) {
      if (this.#stopping.signal.aborted) return;
      outcomes.push([sessionId, await this.#adoptOne(sessionId)]);
    }
    const refused = outcomes.flatMap(([sessionId, outcome]): readonly Refused[] =>
      outcome.kind === 'refuse' ? [{ sessionId, ...outcome }] : [],
    );
    const listOf = (kind: FolderOutcome['kind']): readonly string[] =>
      outcomes.flatMap(([sessionId, outcome]) => (outcome.kind === kind ? [sessionId] : []));
    const unwired = outcomes.flatMap(([, outcome]) =>
      outcome.kind === 'adopted' && outcome.unwired !== undefined ? [outcome.unwired] : [],
    );
    const report = { adopted: listOf('adopted'), closed: listOf('closed'), refused };
    status.remark(...describeAdoption({ ...report, unwired: [...new Set(unwired)] }));
    const pending = refused.map(({ sessionId }) => sessionId);
    store.daemonState.writeAdoption({ since, pending }, isoAt(clock.now()));
  }

  async #adoptOne(sessionId: string): Promise<FolderOutcome> {
    const { log, nudges } = this.#deps;
    try {
      const outcome = await adoptFolder(this.#deps, sessionId);
      if (outcome.kind === 'refuse') {
        const { reason, next } = outcome;
        log.error({ sessionId, reason, next }, 'folder of a session not adopted');
      } else nudges.container(sessionId);
      return outcome;
    } catch (err) {
      log.error({ err, sessionId }, 'folder of a session not adopted');
      const next = 'Restart the daemon to try it again.';
      return { kind: 'refuse', reason: toBerthError(err).message, next };
    }
  }

  async #listFolders(): Promise<readonly string[]> {
    const entries = await readdir(this.#deps.sessionsDir, { withFileTypes: true });
    return entries.flatMap((entry) =>
      entry.isDirectory() && entry.name.startsWith('s-') ? [entry.name] : [],
    );
  }

  /** Before their files are made anew. */
  async #nameFolderless(names: ReadonlySet<string>): Promise<void> {
    const { store, folders, log, status } = this.#deps;
    const folderless: string[] = [];
    for (let after = ''; ;) {
      const sessions = store.sessions.listActiveAfter(after, idsAtOnce);
      for (const { id, isUsed } of sessions) {
        if (isUsed && !names.has(id) && !existsSync(folders.folderOf(id))) folderless.push(id);
      }
      const last = sessions.at(-1);
      if (last === undefined) break;
      after = last.id;
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (folderless.length === 0) return;
    log.error({ sessionIds: folderless }, 'sessions have no folder');
    status.remark(describeFolderless(folderless));
  }

  /** `newer`: than what central.db knows of, the newest first. */
  async #listUnknown(
    names: readonly string[],
  ): Promise<{ readonly newer: readonly string[]; readonly older: readonly string[] }> {
    const { store } = this.#deps;
    const { since, pending } = store.daemonState.findAdoption();
    const newer: { readonly sessionId: string; readonly madeMs: number }[] = [];
    const older: string[] = [];
    for (let from = 0; from < names.length; from += idsAtOnce) {
      const ids = names.slice(from, from + idsAtOnce);
      for (const sessionId of store.sessions.listUnknown(ids)) {
        const madeMs = madeAtMs(sessionId) ?? (await this.#writtenAtMs(sessionId));
        const isNewer = since !== null && (since === '' || madeMs > Date.parse(since));
        if (isNewer || pending.includes(sessionId)) newer.push({ sessionId, madeMs });
        else older.push(sessionId);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    newer.sort((a, b) => b.madeMs - a.madeMs);
    return { newer: newer.map(({ sessionId }) => sessionId), older };
  }

  async #catchUp(): Promise<void> {
    const { store, clock } = this.#deps;
    const { since, pending } = store.daemonState.findAdoption();
    if (since === null) return;
    for (let after = ''; ;) {
      const sessions = store.sessions.listActiveAfter(after, sessionsAtOnce);
      for (const { id } of sessions) {
        if (this.#stopping.signal.aborted) return;
        await this.#catchUpOne(id, since);
      }
      const last = sessions.at(-1);
      if (last === undefined) break;
      after = last.id;
      await delay(pauseMs, this.#stopping.signal);
    }
    store.daemonState.writeAdoption({ since: null, pending }, isoAt(clock.now()));
  }

  /** The content of its files may be news: what waits, what was answered, what is planned. */
  async #catchUpOne(sessionId: string, since: string): Promise<void> {
    const { store, clock, log, nudges } = this.#deps;
    if (since === '' || (await this.#writtenAtMs(sessionId)) <= Date.parse(since)) return;
    try {
      await this.#checkTasks(sessionId);
    } catch (err) {
      // The pass of the delivery sees the same, and knows what to do about it.
      log.debug({ err, sessionId }, 'tasks not compared');
    }
    store.dueItems.advance(sessionId, 'deliver', isoAt(clock.now()));
    nudges.container(sessionId);
    await delay(pauseMs, this.#stopping.signal);
  }

  /** The index is told of a run before the file is: what was compared in between is put right by the next check. */
  async #checkTasks(sessionId: string): Promise<void> {
    const { log, checkTasks } = this.#deps;
    for (let round = 1; round <= maxTaskChecks; round += 1) {
      const findings = await checkTasks(sessionId);
      if (findings.length === 0) return;
      log.info({ sessionId, findings }, 'tasks taken from a session');
      await delay(settlingMs, this.#stopping.signal);
    }
  }

  #writtenAtMs(sessionId: string): Promise<number> {
    const { folders } = this.#deps;
    const outbound = outboundDbPath(folders.outDir(sessionId));
    return writtenAtMs(inboundDbPath(folders.inDir(sessionId)), outbound);
  }
}
