/**
 * Notices when the daemon runs short of file descriptors or memory, gives back what it holds in reserve, and says so in the
 * status while it lasts.
 */
import { toBerthError } from '../../shared/base/errors.js';
import { countDescriptors, type DescriptorCount } from '../../shared/base/descriptors.js';
import type { Logger } from '../../shared/base/logger.js';
import { PollLoop } from '../../shared/base/poll-loop.js';
import type { DaemonStatus } from '../store/daemon-status.js';
import { DescriptorReserve } from './descriptor-reserve.js';

export interface ShortageWatchDeps {
  readonly status: Pick<DaemonStatus, 'say'>;
  readonly log: Logger;
  /** Rejects with the system's error. */
  readonly count?: () => Promise<DescriptorCount>;
  /** The time between two polls, in milliseconds. */
  readonly intervalMs?: number;
}

const reserveSize = 16;
/** With fewer than these the next burst meets the limit: the reserve is given back. */
const fewFree = 4;
/** With these left beside it, the reserve is taken again. */
const enoughFree = 2 * reserveSize;
/** So many polls in a row find nothing short before that is taken back. */
const wellPolls = 3;

export class ShortageWatch {
  readonly #deps: ShortageWatchDeps;
  readonly #reserve = new DescriptorReserve(reserveSize);
  readonly #poll: PollLoop;
  #wellInARow = wellPolls;

  constructor(deps: ShortageWatchDeps) {
    this.#deps = deps;
    this.#poll = new PollLoop({
      name: 'shortage',
      poll: () => this.#pollOnce(),
      intervalMs: deps.intervalMs ?? 1_000,
      log: deps.log,
    });
  }

  start(): void {
    this.#poll.start();
  }

  async stop(): Promise<void> {
    await this.#poll.stop();
    this.#reserve.giveBack();
  }

  /** Something could not be done for want of something. True: some descriptors were given back for another try. */
  readonly note = (reason: string): boolean => {
    const hasHelped = this.#reserve.giveBack();
    this.#saySo(reason);
    return hasHelped;
  };

  async #pollOnce(): Promise<void> {
    const { count = countDescriptors } = this.#deps;
    try {
      const { limit, free } = await count();
      if (free < fewFree) this.note(`${Math.max(0, free)} of ${limit} are left.`);
      else if (this.#reserve.isWhole) this.#takeBack();
      else if (free >= enoughFree) {
        this.#reserve.fill();
        this.#takeBack();
      }
    } catch (error) {
      const failure = toBerthError(error);
      if (failure.code === 'resources_short') this.note(failure.message);
    }
  }

  #saySo(reason: string): void {
    const { status, log } = this.#deps;
    const isNews = this.#wellInARow >= wellPolls;
    this.#wellInARow = 0;
    if (!isNews) return;
    log.error({ reason }, 'daemon short of file descriptors or memory');
    status.say({ shortage: describeShortage(reason) });
  }

  #takeBack(): void {
    if (this.#wellInARow >= wellPolls) return;
    this.#wellInARow += 1;
    if (this.#wellInARow < wellPolls) return;
    this.#deps.log.info({}, 'daemon no longer short of anything');
    this.#deps.status.say({ shortage: null });
  }
}

function describeShortage(reason: string): string {
  const isMemory = /memory|processes/.test(reason);
  const what = isMemory ? reason.replace(/^The machine/, 'The daemon') : descriptorWords(reason);
  const remedy = isMemory
    ? 'See what uses so much of it.'
    : 'See what holds so many (ls -l /proc/PID/fd), or raise the limit (LimitNOFILE=, ulimit -n).';
  return `${what} Messages that it cannot take are refused until then, and nothing is lost. ${remedy}`;
}

function descriptorWords(reason: string): string {
  return `The daemon is short of file descriptors: ${reason.replace(/\.?$/, '.')}`;
}
