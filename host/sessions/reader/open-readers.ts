import { OutboundReader } from '../../../shared/protocol/mailbox/outbound-reader.js';
import type { ReadPlace } from './reader-calls.js';

/** Files that were just read are likely to be read again: a few stay open, without a transaction. */
export class OpenReaders {
  readonly #maxOpen: number;
  /** By their places, the one that was used last at the end. */
  readonly #readers = new Map<string, OutboundReader>();

  constructor(maxOpen: number) {
    this.#maxOpen = maxOpen;
  }

  at(place: ReadPlace): OutboundReader {
    const key = JSON.stringify(place);
    const reader = this.#readers.get(key) ?? this.#reader(place);
    this.#readers.delete(key);
    this.#readers.set(key, reader);
    for (const [oldest, one] of this.#readers) {
      if (this.#readers.size <= this.#maxOpen) break;
      one.close();
      this.#readers.delete(oldest);
    }
    return reader;
  }

  #reader({ path, viewDir, busyTimeoutMs }: ReadPlace): OutboundReader {
    return new OutboundReader(path, {
      ...(viewDir === null ? {} : { viewDir, makesView: false }),
      busyTimeoutMs,
      isKept: this.#maxOpen > 0,
    });
  }
}
