/**
 * The loop inside a container: poll, claim, run a turn, write replies and acks in one transaction, poll again. File
 * events and timers only make it poll sooner. It runs one turn at a time; what comes meanwhile waits for the next, or
 * is taken by the provider.
 */
import { writeFileSync } from 'node:fs';
import type { Clock } from '../shared/base/clock.js';
import { hasCode, toBerthError, type BerthError } from '../shared/base/errors.js';
import type { NewId } from '../shared/base/ids.js';
import { Deadline } from '../shared/base/lifecycle.js';
import type { Logger } from '../shared/base/logger.js';
import type { Migration } from '../shared/base/sqlite/migrate.js';
import { PollLoop } from '../shared/base/poll-loop.js';
import { InboundReader } from '../shared/protocol/mailbox/inbound-reader.js';
import { OutboundWriter } from '../shared/protocol/mailbox/outbound-writer.js';
import type { RunnerConfig } from '../shared/protocol/runner-config.js';
import {
  commitMarkPath,
  damageMarkPath,
  heartbeatPath,
  inboundDbName,
  inboundDbPath,
  outboundDbName,
  outboundDbPath,
  type Workspace,
} from '../shared/protocol/workspace.js';
import { CommitMark } from './commit-mark.js';
import { assertSound } from './file-check.js';
import { Heartbeat } from './heartbeat.js';
import { InboundProbe } from './inbound-probe.js';
import { InboundWatcher } from './inbound-watcher.js';
import { InboxPoll } from './inbox-poll.js';
import { Intake, type Batch } from './intake.js';
import { isLocalDisk } from './local-disk.js';
import { PatientWriter } from './patient-writer.js';
import type { Provider } from './providers/provider.js';
import { pruningOf, type Pruning } from './pruning.js';
import { Turn } from './turn.js';

export interface RunnerDeps {
  readonly workspace: Workspace;
  readonly config: Omit<RunnerConfig, 'protocol' | 'sessionId' | 'agentGroup' | 'provider'>;
  readonly migrations: readonly Migration[];
  readonly provider: Provider;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly log: Logger;
  /** How long a turn's result is kept while outbound.db cannot be written, in milliseconds. */
  readonly writePatienceMs: number;
  /** How long nobody must have waited before old rows are taken away, in milliseconds. */
  readonly pruneQuietMs: number;
  /** The runner cannot go on: whoever started it should end it. */
  readonly onFatal: (error: BerthError) => void;
}

const watchRetryMs = 5_000;

/** A read may meet a commit of the host half-way where a mount shows its locks late: so many more are made. */
const patientReads = 3;

export class Runner {
  readonly #deps: RunnerDeps;
  readonly #inbound: InboundReader;
  readonly #outbound: OutboundWriter;
  readonly #intake: Intake;
  readonly #inbox: InboxPoll;
  readonly #writer: PatientWriter;
  readonly #heartbeat: Heartbeat;
  readonly #mark: CommitMark;
  readonly #watcher: InboundWatcher;
  readonly #pruning: Pruning;
  readonly #loop: PollLoop;
  readonly #stopping = new AbortController();
  #turn: Turn | undefined;

  constructor(deps: RunnerDeps) {
    this.#deps = deps;
    const { workspace, config, clock, log } = deps;
    const inboundPath = inboundDbPath(workspace.inDir);
    const outboundPath = outboundDbPath(workspace.outDir);
    const inbound = new InboundReader(inboundPath, { isKept: isLocalDisk(workspace.inDir) });
    const outbound = new OutboundWriter(outboundPath);
    const nudge = (): void => {
      this.#loop.nudge();
    };
    this.#inbound = inbound;
    this.#outbound = outbound;
    this.#intake = new Intake({ inbound, outbound, batchSize: config.batchSize, clock, log });
    this.#inbox = new InboxPoll({
      probe: new InboundProbe(inboundPath),
      intake: this.#intake,
      clock,
      isHopeless: (error, attempts) =>
        isLost(error, outboundPath) || (attempts > patientReads && isLost(error, inboundPath)),
      nudge,
      log,
    });
    this.#heartbeat = new Heartbeat({
      path: heartbeatPath(workspace.outDir),
      intervalMs: config.heartbeatIntervalMs,
      log,
    });
    this.#mark = new CommitMark({ path: commitMarkPath(workspace.outDir), log });
    this.#writer = new PatientWriter({
      inbound,
      outbound,
      isInboundUnchanged: () => this.#inbox.isUnchanged(),
      clock,
      patienceMs: deps.writePatienceMs,
      onWaiting: () => {
        this.#onProgress();
      },
      onWritten: () => {
        this.#mark.touch();
      },
      log,
    });
    this.#watcher = new InboundWatcher({
      inDir: workspace.inDir,
      onChange: nudge,
      retryMs: watchRetryMs,
      log,
    });
    this.#pruning = pruningOf(deps, inbound, nudge);
    this.#loop = new PollLoop({
      name: 'inbox',
      poll: () => this.#poll(),
      intervalMs: config.pollIntervalMs,
      log,
    });
  }

  /** Throws when outbound.db cannot be made ready, or a file is damaged. */
  start(): void {
    this.#prepareFiles();
    const count = this.#outbound.clearStaleClaims();
    if (count > 0) this.#deps.log.warn({ count }, 'claims of an earlier runner cleared');
    // Also where there were none: it says that this runner marks what it commits.
    this.#mark.touch();
    // Watch first: what comes between the first poll and the watch would wait for a poll.
    this.#watcher.start();
    this.#loop.start();
  }

  /** Aborts the turn. A turn that ends within the grace counts; otherwise its messages are given back. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    this.#watcher.stop();
    this.#inbox.stop();
    this.#pruning.stop();
    const hasEnded = await new Deadline(graceMs).wait(this.#loop.stop());
    if (hasEnded === 'late' && this.#turn !== undefined) this.#abandon(this.#turn);
    this.#outbound.close();
    this.#inbound.close();
  }

  async #poll(): Promise<void> {
    try {
      for (;;) {
        if (this.#stopping.signal.aborted) return;
        const batch = this.#inbox.take();
        if (batch === undefined) {
          this.#pruning.rest();
          return;
        }
        await this.#runTurn(batch);
        this.#pruning.postpone();
      }
    } catch (error) {
      this.#fail(toBerthError(error));
    }
  }

  async #runTurn(batch: Batch): Promise<void> {
    const { signal } = this.#stopping;
    const startedAt = performance.now();
    const turn = this.#newTurn(batch);
    this.#turn = turn;
    try {
      const end = await turn.run();
      if (end.kind === 'abandoned') {
        this.#abandon(turn);
        return;
      }
      await this.#writer.commit(end, turn.inboundMaxSeq(), signal);
      const durationMs = Math.round(performance.now() - startedAt);
      this.#deps.log.debug({ messageIds: turn.claimedIds(), durationMs }, 'turn ended');
    } catch (error) {
      this.#abandon(turn);
      if (!signal.aborted) throw error;
    } finally {
      this.#turn = undefined;
    }
  }

  #newTurn(batch: Batch): Turn {
    const { provider, workspace, newId, log } = this.#deps;
    const { signal } = this.#stopping;
    const turn: Turn = new Turn(
      {
        provider,
        takeMore: (contextIds) => this.#takeMore(contextIds),
        findState: (key) => this.#outbound.findState(key),
        sendNow: (rows) => this.#writer.commit({ rows, acks: [] }, turn.inboundMaxSeq(), signal),
        onProgress: this.#onProgress,
        inDir: workspace.inDir,
        newId,
        log,
      },
      batch,
      signal,
    );
    return turn;
  }

  /** Messages that cannot be taken into this turn go into the next. */
  #takeMore(contextIds: ReadonlySet<string>): Batch | undefined {
    if (!this.#inbox.mayHoldMore()) return undefined;
    try {
      return this.#intake.takeMore(contextIds);
    } catch (err) {
      this.#deps.log.debug({ err }, 'follow-ups not taken');
      return undefined;
    }
  }

  readonly #onProgress = (silenceMs?: number): void => {
    this.#heartbeat.beat(silenceMs);
  };

  #abandon(turn: Turn): void {
    turn.abandon();
    const messageIds = turn.claimedIds();
    try {
      this.#outbound.release(messageIds);
      this.#intake.forget(messageIds);
      this.#mark.touch();
      this.#deps.log.info({ messageIds }, 'turn abandoned, messages given back');
    } catch (err) {
      // The next runner clears claims that it finds.
      this.#deps.log.warn({ err, messageIds }, 'turn abandoned, messages still claimed');
    }
  }

  #prepareFiles(): void {
    const { inDir, outDir } = this.#deps.workspace;
    try {
      this.#outbound.create(this.#deps.migrations);
      assertSound(outboundDbPath(outDir));
      assertSound(inboundDbPath(inDir));
    } catch (error) {
      this.#markDamage(toBerthError(error));
      throw error;
    }
  }

  /** The host repairs the file that is named there, before the next start. */
  #markDamage(error: BerthError): void {
    const { inDir, outDir } = this.#deps.workspace;
    const file = isLost(error, inboundDbPath(inDir)) ? inboundDbName : outboundDbName;
    const isUnusable = isLost(error, outboundDbPath(outDir)) || file === inboundDbName;
    if (!isUnusable) return;
    try {
      writeFileSync(damageMarkPath(outDir), `${file}\n`);
    } catch (err) {
      this.#deps.log.debug({ err, file }, 'damage not noted');
    }
  }

  #fail(error: BerthError): void {
    this.#stopping.abort();
    this.#markDamage(error);
    this.#deps.onFatal(error);
  }
}

/** That file is gone or damaged, or something else stands in its place: the host makes a fresh one before the next start. */
function isLost(error: BerthError, path: string): boolean {
  const { facts } = error;
  const isGone = hasCode(error, 'database_corrupt', 'database_missing');
  return (isGone || facts['isOrdinary'] === false) && facts['path'] === path;
}
