/** Random timing that can be had again: every test says its seed, and BERTH_FAULT_SEED repeats it. */
import { onTestFailed } from 'vitest';

/** How often tests with random timing repeat what they do: BERTH_FAULT_ROUNDS, 1 by default. */
export const rounds = Math.max(1, Number(process.env['BERTH_FAULT_ROUNDS'] ?? 1));

export class Seeded {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed;
    this.#state = seed;
  }

  /** For the test that runs now; says its seed, and once more when the test fails. */
  static forTest(): Seeded {
    const wanted = process.env['BERTH_FAULT_SEED'];
    const random = new Seeded(
      wanted === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(wanted),
    );
    tell(`seed ${random.seed}`);
    onTestFailed(() => {
      tell(`FAILED: repeat it with BERTH_FAULT_SEED=${random.seed}`);
    });
    return random;
  }

  /** In [0, 1). The mulberry32 generator. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from min to max, both included. */
  between(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  pick<T>(list: readonly T[]): T {
    return list[this.between(0, list.length - 1)]!;
  }
}

/** Says something beside the test's result, whatever the reporter. */
export function tell(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** As console.table, without its ornaments: one line of names, one line for each row. */
export function tellTable(rows: readonly Readonly<Record<string, string | number>>[]): void {
  const names = Object.keys(rows[0] ?? {});
  const width = (name: string): number =>
    Math.max(name.length, ...rows.map((row) => String(row[name] ?? '').length));
  const line = (cell: (name: string) => string | number): string =>
    names.map((name) => String(cell(name)).padStart(width(name))).join('  ');
  tell([line((name) => name), ...rows.map((row) => line((name) => row[name] ?? ''))].join('\n'));
}
