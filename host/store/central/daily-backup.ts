import type { Clock } from '../../../shared/base/clock.js';
import { Deadline } from '../../../shared/base/lifecycle.js';
import type { Logger } from '../../../shared/base/logger.js';
import { PollLoop } from '../../../shared/base/poll-loop.js';
import { backUp, backupEveryMs, findBackupAgeMs, listBackups } from './central-backup.js';

export interface DailyBackupDeps {
  readonly backupsDir: string;
  /** Writes a copy of the database while it is used, into an empty file. */
  readonly copy: (path: string, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  /** Since the machine's start, in milliseconds: nobody sets it, and it goes on while the machine sleeps. */
  readonly uptimeMs: () => number;
  readonly log: Logger;
}

/** How often it is seen whether one is due, in milliseconds: so late one may be after the machine slept. */
const pollIntervalMs = 10 * 60_000;
const lastMomentMs = 2_000;

/**
 * Backs central.db up once a day while the daemon runs. A day is counted by the machine's uptime: a clock that is set
 * makes neither many backups nor a gap. The backups' names tell what was done before this start.
 */
export class DailyBackup {
  readonly #deps: DailyBackupDeps;
  readonly #loop: PollLoop;
  readonly #givingUp = new AbortController();
  /** By the uptime; undefined until it is known, or where there is none of the last day. */
  #madeAtMs: number | undefined;
  #isFirst = true;

  constructor(deps: DailyBackupDeps) {
    this.#deps = deps;
    this.#loop = new PollLoop({
      name: 'daily backup',
      poll: async () => {
        await this.backUpIfDue(this.#givingUp.signal);
      },
      intervalMs: pollIntervalMs,
      log: deps.log,
    });
  }

  start(): void {
    this.#loop.start();
  }

  /** Waits a moment for what is under way, then gives it up. */
  async stop(): Promise<void> {
    const stopped = this.#loop.stop();
    if ((await new Deadline(lastMomentMs).wait(stopped)) === 'late') this.#givingUp.abort();
    await stopped;
  }

  /** Returns the path of the backup that was made. A failure is logged, and the backup tried again at the next poll. */
  async backUpIfDue(signal: AbortSignal): Promise<string | undefined> {
    const { backupsDir, copy, clock, uptimeMs, log } = this.#deps;
    if (this.#isFirst) this.#recall();
    if (this.#madeAtMs !== undefined && uptimeMs() - this.#madeAtMs < backupEveryMs)
      return undefined;
    const beganAt = performance.now();
    try {
      const path = await backUp((draft) => copy(draft, signal), backupsDir, clock.now());
      this.#madeAtMs = uptimeMs();
      const durationMs = Math.round(performance.now() - beganAt);
      log.info({ backup: path, durationMs }, 'central database backed up');
      return path;
    } catch (err) {
      if (!signal.aborted) log.error({ err }, 'central database not backed up');
      return undefined;
    }
  }

  #recall(): void {
    const { backupsDir, clock, uptimeMs } = this.#deps;
    const nowMs = clock.now();
    const ageMs = findBackupAgeMs(listBackups(backupsDir, nowMs), nowMs);
    this.#madeAtMs = ageMs === undefined ? undefined : uptimeMs() - ageMs;
    this.#isFirst = false;
  }
}
