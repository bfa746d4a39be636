/** The daemon's end of one reader process: one request at a time, each within its time. */
import { spawn, type ChildProcess } from 'node:child_process';
import { delay } from '../../../shared/base/lifecycle.js';
import { judgeOverrun, sampleProcess } from './overrun.js';

export interface ReaderSettings {
  /** The reader's program. */
  readonly script: string;
  /** Its working folder: that of all sessions. */
  readonly folder: string;
  /** The user that it becomes before it reads anything; null: it stays who the daemon is. */
  readonly user: { readonly uid: number; readonly gid: number } | null;
}

export type ReaderOutcome =
  | { readonly kind: 'answer'; readonly line: string }
  /** `file`: what it read kept it busy for too long. `disk`: it still waited for the disk when nobody waited any longer. */
  | { readonly kind: 'overrun'; readonly why: 'file' | 'disk' }
  /** It has ended, or said more than an answer may be long. */
  | { readonly kind: 'ended' }
  /** Another process has ended it, as the kernel does where memory runs out. */
  | { readonly kind: 'killed' }
  /** None could be started, or none is any more. */
  | { readonly kind: 'unavailable' };

/** In MiB: many times what a page of rows takes. */
const heapMb = 96;
/** CPU time of one reader in seconds: what a killed daemon leaves behind ends by itself. */
const cpuLimitSeconds = 120;
/** A page holds 1 MiB of content, or one row; each byte of it may be escaped by six. */
const maxAnswerBytes = 12 * 1024 * 1024;
/** Between two samples of a reader that is late, in milliseconds. */
const sampleMs = 150;
/** How long a reader that waits for the disk is waited for in all, in milliseconds. */
const diskPatienceMs = 30_000;

export class ReaderProcess {
  readonly #child: ChildProcess;
  readonly #onSlowDisk: () => void;
  #pieces: Buffer[] = [];
  #length = 0;
  #take: ((outcome: ReaderOutcome) => void) | undefined;
  #hasEnded = false;
  /** How many requests it has answered. */
  answered = 0;

  constructor(settings: ReaderSettings, onSlowDisk: () => void) {
    this.#onSlowDisk = onSlowDisk;
    const node = [process.execPath, `--max-old-space-size=${heapMb}`, settings.script];
    this.#child = spawn(
      '/bin/sh',
      ['-c', `ulimit -t ${cpuLimitSeconds}; exec "$0" "$@"`, ...node],
      {
        // Nothing of the daemon's: no secrets, no settings.
        env: {},
        cwd: '/',
        stdio: ['pipe', 'pipe', 'ignore'],
        // A ctrl-c at the daemon's terminal is not for it: what is left to read at the end is read.
        detached: true,
      },
    );
    this.#child.stdout?.on('data', (piece: Buffer) => {
      this.#collect(piece);
    });
    this.#child.on('error', () => {
      this.#end('unavailable');
    });
    this.#child.on('exit', (_code, signal) => {
      this.#end(signal === 'SIGKILL' ? 'killed' : 'ended');
    });
    // Whatever goes wrong with a pipe, the process ends with it.
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stdout?.on('error', () => undefined);
    this.#child.unref();
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get isBusy(): boolean {
    return this.#take !== undefined;
  }

  /** `line`: JSON. Of a reader that is not busy. */
  async ask(line: string, budgetMs: number): Promise<ReaderOutcome> {
    if (this.#hasEnded) return { kind: 'unavailable' };
    const answered = new Promise<ReaderOutcome>((resolve) => {
      this.#take = resolve;
    });
    this.#child.stdin?.write(`${line}\n`);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, budgetMs, undefined);
    });
    const outcome = await Promise.race([answered, late]);
    clearTimeout(timer);
    return outcome ?? (await this.#judge(answered));
  }

  /** Ends at once, also in the middle of something. */
  kill(): void {
    this.#child.kill('SIGKILL');
    this.#end('ended');
  }

  /** The time is over: why? A slow disk is waited for, since another reader would wait for it too. */
  async #judge(answered: Promise<ReaderOutcome>): Promise<ReaderOutcome> {
    const pid = this.#child.pid ?? 0;
    const givesUpAt = performance.now() + diskPatienceMs;
    for (;;) {
      const before = await sampleProcess(pid);
      const outcome = await Promise.race([answered, delay(sampleMs).then(() => undefined)]);
      if (outcome !== undefined) return outcome;
      const why = judgeOverrun(before, await sampleProcess(pid), sampleMs);
      if (why === 'file' || performance.now() > givesUpAt) return { kind: 'overrun', why };
      this.#onSlowDisk();
    }
  }

  #collect(piece: Buffer): void {
    this.#length += piece.length;
    if (this.#length > maxAnswerBytes || this.#take === undefined) {
      this.kill();
      return;
    }
    this.#pieces.push(piece);
    if (piece.at(-1) !== 0x0a) return;
    const line = Buffer.concat(this.#pieces).toString('utf8');
    this.#pieces = [];
    this.#length = 0;
    this.answered += 1;
    this.#settle({ kind: 'answer', line });
  }

  #end(kind: 'ended' | 'killed' | 'unavailable'): void {
    this.#hasEnded = true;
    this.#settle({ kind });
  }

  #settle(outcome: ReaderOutcome): void {
    const take = this.#take;
    this.#take = undefined;
    take?.(outcome);
  }
}
