/**
 * The loop inside a container: look, claim, run a turn, write replies and acks in one transaction, look again.
 * File events and timers only make it look sooner. One turn at a time; what comes meanwhile waits for the next,
 * or is taken by the provider.
 */
import type { Clock } from '../shared/base/clock.js';
import { hasCode, toBerthError, type BerthError } from '../shared/base/errors.js';
import type { NewId } from '../shared/base/ids.js';
import { Deadline } from '../shared/base/lifecycle.js';
import type { Logger } from '../shared/base/logger.js';
import type { Migration } from '../shared/base/migrate.js';
import { PollLoop } from '../shared/base/poll-loop.js';
import { InboundReader } from '../shared/protocol/inbound-reader.js';
import { OutboundWriter } from '../shared/protocol/outbound-writer.js';
import type { RunnerConfig } from '../shared/protocol/runner-config.js';
import {
  heartbeatPath,
  inboundDbPath,
  outboundDbPath,
  type Workspace,
} from '../shared/protocol/workspace.js';
import { Heartbeat } from './heartbeat.js';
import { InboundProbe } from './inbound-probe.js';
import { InboundWatcher } from './inbound-watcher.js';
import { InboxLook } from './inbox-look.js';
import { Intake, type Batch } from './intake.js';
import { PatientWriter } from './patient-writer.js';
import type { Provider } from './providers/provider.js';
import { Turn } from './turn.js';

export interface RunnerDeps {
  readonly workspace: Workspace;
  readonly config: Pick<RunnerConfig, 'batchSize' | 'pollIntervalMs' | 'heartbeatIntervalMs'>;
  readonly migrations: readonly Migration[];
  readonly provider: Provider;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly log: Logger;
  /** How long a turn's result is kept while outbound.db cannot be written, in milliseconds. */
  readonly writePatienceMs: number;
  /** The runner cannot go on: whoever started it should end it. */
  readonly onFatal: (error: BerthError) => void;
}

const watchRetryMs = 5_000;

export class Runner {
  readonly #deps: RunnerDeps;
  readonly #outbound: OutboundWriter;
  readonly #intake: Intake;
  readonly #inbox: InboxLook;
  readonly #writer: PatientWriter;
  readonly #heartbeat: Heartbeat;
  readonly #watcher: InboundWatcher;
  readonly #loop: PollLoop;
  readonly #stopping = new AbortController();
  #turn: Turn | undefined;

  constructor(deps: RunnerDeps) {
    this.#deps = deps;
    const { workspace, config, clock, log } = deps;
    const inboundPath = inboundDbPath(workspace.inDir);
    const outboundPath = outboundDbPath(workspace.outDir);
    const inbound = new InboundReader(inboundPath);
    const outbound = new OutboundWriter(outboundPath);
    const nudge = (): void => {
      this.#loop.nudge();
    };
    this.#outbound = outbound;
    this.#intake = new Intake({ inbound, outbound, batchSize: config.batchSize, clock, log });
    this.#inbox = new InboxLook({
      probe: new InboundProbe(inboundPath),
      intake: this.#intake,
      clock,
      isHopeless: (error) => isLost(error, outboundPath),
      nudge,
      log,
    });
    this.#heartbeat = new Heartbeat({
      path: heartbeatPath(workspace.outDir),
      intervalMs: config.heartbeatIntervalMs,
      log,
    });
    this.#writer = new PatientWriter({
      inbound,
      outbound,
      clock,
      patienceMs: deps.writePatienceMs,
      onWaiting: this.#onProgress,
      log,
    });
    this.#watcher = new InboundWatcher({
      inDir: workspace.inDir,
      onChange: nudge,
      retryMs: watchRetryMs,
      log,
    });
    this.#loop = new PollLoop({
      name: 'inbox',
      look: () => this.#look(),
      intervalMs: config.pollIntervalMs,
      log,
    });
  }

  /** Throws when outbound.db cannot be made ready. */
  start(): void {
    this.#outbound.create(this.#deps.migrations);
    const count = this.#outbound.clearStaleClaims();
    if (count > 0) this.#deps.log.warn({ count }, 'claims of an earlier runner cleared');
    // Watch first: what comes between the first look and the watch would wait for a poll.
    this.#watcher.start();
    this.#loop.start();
  }

  /** Aborts the turn. One that ends within the grace counts; otherwise its messages are given back. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    this.#watcher.stop();
    this.#inbox.stop();
    const hasEnded = await new Deadline(graceMs).wait(this.#loop.stop());
    if (hasEnded === 'late' && this.#turn !== undefined) this.#abandon(this.#turn);
  }

  async #look(): Promise<void> {
    try {
      for (;;) {
        const batch = this.#stopping.signal.aborted ? undefined : this.#inbox.take();
        if (batch === undefined) return;
        await this.#runTurn(batch);
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

  /** What cannot be taken into this turn goes into the next. */
  #takeMore(contextIds: ReadonlySet<string>): Batch | undefined {
    try {
      return this.#intake.takeMore(contextIds);
    } catch (err) {
      this.#deps.log.debug({ err }, 'follow-ups not taken');
      return undefined;
    }
  }

  readonly #onProgress = (): void => {
    this.#heartbeat.beat();
  };

  #abandon(turn: Turn): void {
    turn.abandon();
    const messageIds = turn.claimedIds();
    try {
      this.#outbound.release(messageIds);
      this.#deps.log.info({ messageIds }, 'turn abandoned, messages given back');
    } catch (err) {
      // The next runner clears claims that it finds.
      this.#deps.log.warn({ err, messageIds }, 'turn abandoned, messages still claimed');
    }
  }

  #fail(error: BerthError): void {
    this.#stopping.abort();
    this.#deps.onFatal(error);
  }
}

/** The runner's own file is gone or damaged: the host makes a fresh one before the next start. */
function isLost(error: BerthError, path: string): boolean {
  const isGone = hasCode(error, 'database_corrupt', 'database_missing');
  return isGone && error.facts['path'] === path;
}
