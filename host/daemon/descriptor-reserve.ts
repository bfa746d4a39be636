import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';

/** Descriptors that are held for nothing, so that there are some to give back when the system has no other left. */
export class DescriptorReserve {
  readonly #size: number;
  #held: number[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  get isWhole(): boolean {
    return this.#held.length === this.#size;
  }

  /** Takes what is missing. Throws what the system throws; what it could take is held then. */
  fill(): void {
    while (this.#held.length < this.#size) this.#held.push(openSync(devNull, 'r'));
  }

  /** False where none was held. */
  giveBack(): boolean {
    const held = this.#held;
    this.#held = [];
    for (const fd of held) closeSync(fd);
    return held.length > 0;
  }
}
