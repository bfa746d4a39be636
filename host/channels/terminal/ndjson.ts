/** The bytes that arrived between two line ends. */
export type LineItem =
  | { readonly kind: 'line'; readonly text: string }
  /** Longer than allowed; the rest of it is skipped. */
  | { readonly kind: 'oversized' }
  /** Not UTF-8. */
  | { readonly kind: 'garbled' };

const lineFeed = 0x0a;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Cuts a stream of bytes into lines. Bytes are decoded a line at a time, so a character may lie across two chunks.
 * Holds at most one line's worth of bytes. Empty lines are left out.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  /** The unfinished line: the first #length bytes of #held. */
  #held = Buffer.alloc(0);
  #length = 0;
  #isSkipping = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(chunk: Buffer): LineItem[] {
    const items: LineItem[] = [];
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(lineFeed, from);
      if (end === -1) break;
      this.#take(chunk.subarray(from, end), items);
      this.#finish(items);
      from = end + 1;
    }
    this.#take(chunk.subarray(from), items);
    return items;
  }

  /** The stream has ended: what is left is a line of its own. */
  end(): LineItem[] {
    const items: LineItem[] = [];
    this.#finish(items);
    return items;
  }

  #take(part: Buffer, items: LineItem[]): void {
    if (this.#isSkipping || part.length === 0) return;
    const needed = this.#length + part.length;
    if (needed > this.#maxBytes) {
      this.#isSkipping = true;
      this.#reset();
      items.push({ kind: 'oversized' });
      return;
    }
    if (needed > this.#held.length) this.#grow(needed);
    part.copy(this.#held, this.#length);
    this.#length = needed;
  }

  /** By doubling: a line that trickles in byte by byte is not copied each time. */
  #grow(needed: number): void {
    const larger = Buffer.alloc(Math.min(this.#maxBytes, Math.max(needed, this.#held.length * 2)));
    this.#held.copy(larger, 0, 0, this.#length);
    this.#held = larger;
  }

  #finish(items: LineItem[]): void {
    if (this.#isSkipping) {
      this.#isSkipping = false;
      return;
    }
    const bytes = this.#held.subarray(0, this.#length);
    const item = decode(bytes);
    this.#reset();
    if (item !== undefined) items.push(item);
  }

  #reset(): void {
    this.#length = 0;
    // The memory that one long line needed is not kept for ever.
    if (this.#held.length > 64 * 1024) this.#held = Buffer.alloc(0);
  }
}

function decode(bytes: Buffer): LineItem | undefined {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return { kind: 'garbled' };
  }
  return text.trim() === '' ? undefined : { kind: 'line', text };
}
