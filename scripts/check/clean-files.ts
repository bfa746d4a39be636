/** Remembers which files ESLint found nothing in, by their keys, and what was read from each text. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { SourceFacts } from './source-shapes.js';

const cacheSchema = z.object({
  /** The version of the code that wrote this. */
  writer: z.string(),
  facts: z.record(
    z.string(),
    z.object({ imports: z.array(z.string()), shape: z.string(), ambient: z.boolean() }),
  ),
  keys: z.record(z.string(), z.string()),
});

export class CleanFiles {
  readonly #path: string;
  readonly #writer: string;
  readonly #known: z.infer<typeof cacheSchema>;
  readonly #facts: Record<string, SourceFacts> = {};

  /** A cache that another version wrote, or that cannot be read, counts as empty. */
  constructor(root: string, writer: string) {
    this.#path = join(root, 'node_modules', '.cache', 'lint', 'clean.json');
    this.#writer = writer;
    this.#known = this.#read();
  }

  isClean(path: string, key: string): boolean {
    return this.#known.keys[path] === key;
  }

  /** The facts of a text that was read before, else those that `read` finds; kept for the next run. */
  factsOf(textHash: string, read: () => SourceFacts): SourceFacts {
    return (this.#facts[textHash] ??= this.#known.facts[textHash] ?? read());
  }

  /** Forgets every file but these. */
  save(keys: ReadonlyMap<string, string>): void {
    mkdirSync(dirname(this.#path), { recursive: true });
    const cache = { writer: this.#writer, facts: this.#facts, keys: Object.fromEntries(keys) };
    writeFileSync(this.#path, JSON.stringify(cache));
  }

  #read(): z.infer<typeof cacheSchema> {
    try {
      const cache = cacheSchema.parse(JSON.parse(readFileSync(this.#path, 'utf8')));
      if (cache.writer === this.#writer) return cache;
    } catch {
      // The first run, or a write that was cut off: everything is linted again.
    }
    return { writer: this.#writer, facts: {}, keys: {} };
  }
}
