import { statSync } from 'node:fs';

/** What can be told of inbound.db without opening it. */
export type InboundState =
  | { readonly kind: 'unchanged' | 'missing' }
  /** The host is in the middle of a transaction: opening the file now would only get in its way. */
  | { readonly kind: 'committing' }
  | { readonly kind: 'changed'; readonly version: string };

/** A file time may be too coarse to tell two commits apart; after this it has moved on. In milliseconds. */
const coarseTimeMs = 2_000;

/** Keeps idle polling cheap: two stats, and inbound.db is opened only when it has changed. */
export class InboundProbe {
  readonly path: string;
  #seenVersion: string | undefined;

  constructor(path: string) {
    this.path = path;
  }

  look(): InboundState {
    if (statSync(`${this.path}-journal`, { throwIfNoEntry: false }) !== undefined) {
      return { kind: 'committing' };
    }
    const stat = statSync(this.path, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) return { kind: 'missing' };
    const isRecent = Math.abs(Date.now() - Number(stat.mtimeMs)) < coarseTimeMs;
    const version = `${stat.ino}:${stat.size}:${stat.mtimeNs}:${isRecent ? 'recent' : 'settled'}`;
    return version === this.#seenVersion ? { kind: 'unchanged' } : { kind: 'changed', version };
  }

  /** Everything in the file has been read, as it stood when `look` gave this version. */
  markSeen(version: string): void {
    // Within the same coarse instant another commit may follow unseen: look again once that has passed.
    if (version.endsWith('settled')) this.#seenVersion = version;
  }
}
