/** Requests that share a few reader processes: first come, first served. A reader that has failed is replaced. */
import { errnoOf } from '../../../shared/base/errors.js';
import { ReaderProcess, type ReaderOutcome, type ReaderSettings } from './reader-process.js';

export interface ReaderLaneDeps {
  readonly settings: ReaderSettings;
  /** How many readers at the most. The first is kept, the others come under load and go when they have nothing to do. */
  readonly maxReaders: number;
  /** Whether the first is kept while there is nothing to do. */
  readonly keepsOne: boolean;
  readonly onSlowDisk: () => void;
  /** A reader could not become who it should be, or not begin to work: a sentence. */
  readonly onProblem: (reason: string) => void;
}

interface Waiting {
  readonly line: string;
  readonly budgetMs: number;
  readonly resolve: (outcome: ReaderOutcome) => void;
}

/** A request that has waited for so long is worth another reader, in milliseconds. */
const extraAfterMs = 5;
const idleMs = 30_000;
/** Until another is started in the place of one that did not begin to work, in milliseconds. */
const restartMs = 1_000;
/** A reader that has too little of something, as one that was started under a low limit, has it for its whole life. */
const shortAnswer = '{"failure":{"code":"resources_short"';
/** To begin to work, in milliseconds. */
const startBudgetMs = 15_000;
/** The number of answers that one reader gives in its life: it has used a small part of its CPU time by then. */
const maxAnswers = 20_000;

export class ReaderLane {
  readonly #deps: ReaderLaneDeps;
  readonly #readers = new Set<ReaderProcess>();
  readonly #idle: ReaderProcess[] = [];
  /** How many do not work yet. */
  #starting = 0;
  readonly #waiting: Waiting[] = [];
  #extraTimer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #isStopping = false;

  constructor(deps: ReaderLaneDeps) {
    this.#deps = deps;
  }

  /** Has a reader ready before the first request. */
  start(): void {
    if (this.#readers.size === 0) void this.#add();
  }

  run(line: string, budgetMs: number): Promise<ReaderOutcome> {
    if (this.#isStopping) return Promise.resolve({ kind: 'unavailable' });
    return new Promise((resolve) => {
      this.#waiting.push({ line, budgetMs, resolve });
      this.#serve();
    });
  }

  /** Ends all readers; what still waits is told so. */
  stop(): void {
    this.#isStopping = true;
    clearTimeout(this.#extraTimer);
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#restartTimer);
    for (const reader of this.#readers) reader.kill();
    for (const { resolve } of this.#waiting.splice(0)) resolve({ kind: 'unavailable' });
  }

  #serve(): void {
    while (this.#waiting.length > 0) {
      const reader = this.#idle.pop();
      if (reader === undefined) break;
      const next = this.#waiting.shift();
      if (next !== undefined) void this.#use(reader, next);
    }
    if (this.#waiting.length > 0) this.#wantReader();
  }

  #wantReader(): void {
    if (this.#readers.size === 0) void this.#add();
    if (this.#readers.size >= this.#deps.maxReaders || this.#starting > 0) return;
    this.#extraTimer ??= setTimeout(() => {
      this.#extraTimer = undefined;
      const hasPlace = this.#readers.size < this.#deps.maxReaders && this.#starting === 0;
      if (this.#waiting.length > 0 && hasPlace) void this.#add();
    }, extraAfterMs);
  }

  async #add(): Promise<void> {
    const { settings, onSlowDisk, onProblem } = this.#deps;
    const reader = spawnReader(settings, onSlowDisk);
    if (reader !== undefined) this.#readers.add(reader);
    const { folder, user } = settings;
    this.#starting += 1;
    const outcome = (await reader?.ask(JSON.stringify({ folder, user }), startBudgetMs)) ?? none;
    this.#starting -= 1;
    const isReady = outcome.kind === 'answer' && outcome.line.startsWith('{"result"');
    if (reader !== undefined) {
      if (isReady) {
        this.#free(reader);
        return;
      }
      reader.kill();
      this.#readers.delete(reader);
    }
    if (this.#isStopping) return;
    this.#restartLater();
    onProblem(outcome.kind === 'answer' ? outcome.line.slice(0, 300) : 'it did not begin to work');
    // The caller that waits is told, and comes again later: a reader that cannot start is tried once for each.
    this.#waiting.shift()?.resolve({ kind: 'unavailable' });
    this.#serve();
  }

  async #use(reader: ReaderProcess, { line, budgetMs, resolve }: Waiting): Promise<void> {
    const outcome = await reader.ask(line, budgetMs);
    resolve(outcome);
    const isWell = outcome.kind === 'answer' && !outcome.line.startsWith(shortAnswer);
    if (isWell && reader.answered < maxAnswers) this.#free(reader);
    else this.#drop(reader);
    this.#serve();
  }

  /** While the system has no process to give, it is not asked for one all the time. */
  #restartLater(): void {
    if (!this.#deps.keepsOne) return;
    this.#restartTimer ??= setTimeout(() => {
      this.#restartTimer = undefined;
      if (!this.#isStopping && this.#readers.size === 0) void this.#add();
    }, restartMs).unref();
  }

  #free(reader: ReaderProcess): void {
    this.#idle.push(reader);
    this.#serve();
    this.#idleTimer ??= setTimeout(() => {
      this.#idleTimer = undefined;
      this.#endIdle();
    }, idleMs).unref();
  }

  /** Under load a reader is made again in no time. */
  #endIdle(): void {
    const kept = this.#deps.keepsOne ? 1 : 0;
    while (this.#readers.size > kept) {
      const reader = this.#idle.shift();
      if (reader === undefined) return;
      this.#drop(reader);
    }
  }

  #drop(reader: ReaderProcess): void {
    reader.kill();
    this.#readers.delete(reader);
    const place = this.#idle.indexOf(reader);
    if (place !== -1) this.#idle.splice(place, 1);
    if (!this.#isStopping && this.#deps.keepsOne && this.#readers.size === 0) void this.#add();
  }
}

const none: ReaderOutcome = { kind: 'unavailable' };

/** Undefined where the system gives no process: Node reports some reasons later, and throws others. */
function spawnReader(settings: ReaderSettings, onSlowDisk: () => void): ReaderProcess | undefined {
  try {
    return new ReaderProcess(settings, onSlowDisk);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}
