/**
 * The daemon's end of the thread that uses inbound.db files. Calls are done one after the other, in their order, and are
 * answered in the same order: whoever reads rows with a call, and goes on without a pause, has not missed a later one.
 */
import { Worker } from 'node:worker_threads';
import { BerthError, type ErrorCode } from '../../../shared/base/errors.js';
import type { Migration } from '../../../shared/base/sqlite/migrate.js';
import type { InboundArgs, InboundCallName, InboundPort, InboundResult } from './inbound-calls.js';

export interface ThreadSettings {
  readonly migrations: readonly Migration[];
  /** How many files stay open at the most. */
  readonly maxOpen: number;
  /** How long a file that is not used stays open, in milliseconds. */
  readonly idleMs: number;
}

export interface ThreadRequest {
  readonly id: number;
  readonly path: string;
  readonly name: InboundCallName | 'release' | 'checkpoint';
  readonly args: readonly unknown[];
}

export type ThreadAnswer = {
  readonly id: number;
  /** How long the call took, in milliseconds: nearly all of it is the disk's. */
  readonly ms: number;
} & ({ readonly result: unknown } | { readonly failure: Failure });

/** Changes by somebody else in a file that were put right; in words for a log. */
export interface PutRight {
  readonly path: string;
  readonly changes: readonly string[];
}

interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly next: string | undefined;
  readonly facts: BerthError['facts'];
}

export interface InboundThreadDeps {
  /** The thread's program. */
  readonly script: string;
  readonly settings: ThreadSettings;
  /** How long each call has taken, in milliseconds. */
  readonly onTook: (ms: number) => void;
  readonly onPutRight: (putRight: PutRight) => void;
  /** The thread has ended by itself: nothing can be written any more. */
  readonly onFatal: (error: BerthError) => void;
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: BerthError) => void;
}

export class InboundThread implements InboundPort {
  readonly #deps: InboundThreadDeps;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #lastId = 0;
  #isStopping = false;

  constructor(deps: InboundThreadDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { script, settings, onTook, onPutRight } = this.#deps;
    const worker = new Worker(script, { workerData: settings, env: {}, execArgv: [] });
    worker.on('message', (message: ThreadAnswer | PutRight) => {
      if ('changes' in message) {
        onPutRight(message);
        return;
      }
      onTook(message.ms);
      this.#take(message);
    });
    worker.on('error', (error) => {
      this.#end(error);
    });
    worker.on('exit', () => {
      this.#end(undefined);
    });
    this.#worker = worker;
  }

  call<K extends InboundCallName>(
    path: string,
    name: K,
    args: InboundArgs<K>,
  ): Promise<InboundResult<K>> {
    // The table of calls, which both sides share, says what comes back.
    return this.#ask(path, name, args) as Promise<InboundResult<K>>;
  }

  async release(path: string): Promise<void> {
    await this.#ask(path, 'release', []);
  }

  /** Copies the write-ahead log of the database at `path` into it, as far as nobody is held up by that. */
  async checkpoint(path: string): Promise<void> {
    await this.#ask(path, 'checkpoint', []);
  }

  /** Resolves when every call before it has been done and no file is open. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.#waiting.size > 0) {
      await Promise.allSettled(
        [...this.#waiting.keys()].slice(-1).map(() => this.#ask('', 'release', [])),
      );
    }
    await this.#worker?.terminate();
  }

  #ask(path: string, name: ThreadRequest['name'], args: readonly unknown[]): Promise<unknown> {
    const worker = this.#worker;
    if (worker === undefined) return Promise.reject(ended(undefined));
    this.#lastId += 1;
    const request: ThreadRequest = { id: this.#lastId, path, name, args };
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject });
      worker.postMessage(request);
    });
  }

  #take(answer: ThreadAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (waiting === undefined) return;
    if ('failure' in answer) waiting.reject(revive(answer.failure));
    else waiting.resolve(answer.result);
  }

  #end(cause: unknown): void {
    this.#worker = undefined;
    const failure = ended(cause);
    for (const { reject } of this.#waiting.values()) reject(failure);
    this.#waiting.clear();
    if (!this.#isStopping) this.#deps.onFatal(failure);
    this.#isStopping = true;
  }
}

function ended(cause: unknown): BerthError {
  return new BerthError('internal', 'The thread that writes inbound.db files has ended.', {
    cause,
  });
}

function revive({ code, message, next, facts }: Failure): BerthError {
  return new BerthError(code, message, next === undefined ? { facts } : { next, facts });
}
