/** The inbound.db files that are in use: a few stay open, with their compiled statements, as long as they are used. */
import { InboundHandle } from '../../../shared/protocol/mailbox/inbound-handle.js';
import type { Migration } from '../../../shared/base/sqlite/migrate.js';
import {
  InboundFile,
  inboundCalls,
  type InboundArgs,
  type InboundCallName,
  type InboundResult,
} from './inbound-calls.js';

export interface InboundFilesDeps {
  readonly migrations: readonly Migration[];
  /** How many files stay open at the most; 0: none. */
  readonly maxOpen: number;
  /** As of InboundHandle, of the file at `path`. */
  readonly onPutRight?: (path: string, changes: readonly string[]) => void;
}

export class InboundFiles {
  readonly #deps: InboundFilesDeps;
  /** By path, the least recently used first. */
  readonly #files = new Map<string, InboundFile>();

  constructor(deps: InboundFilesDeps) {
    this.#deps = deps;
  }

  /** Throws what the call throws. */
  run<K extends InboundCallName>(path: string, name: K, args: InboundArgs<K>): InboundResult<K> {
    const file = this.#fileOf(path);
    const call = inboundCalls[name] as (file: InboundFile, ...args: unknown[]) => InboundResult<K>;
    return call(file, ...args);
  }

  release(path: string): void {
    this.#files.get(path)?.handle.close();
    this.#files.delete(path);
  }

  releaseAll(): void {
    for (const path of [...this.#files.keys()]) this.release(path);
  }

  #fileOf(path: string): InboundFile {
    const { migrations, maxOpen, onPutRight } = this.#deps;
    const known = this.#files.get(path);
    this.#files.delete(path);
    const isKept = maxOpen > 0;
    const file =
      known ??
      new InboundFile(
        new InboundHandle(path, {
          migrations,
          isKept,
          onPutRight: (changes) => onPutRight?.(path, changes),
        }),
      );
    if (!isKept) return file;
    this.#files.set(path, file);
    const oldest = this.#files.keys().next().value;
    if (this.#files.size > maxOpen && oldest !== undefined) this.release(oldest);
    return file;
  }
}
