/**
 * Reads what the counter in sqlite-counter.cjs wrote, and what strace saw: which process did what with which database,
 * when.
 */
import { copyFileSync, mkdtempSync, chmodSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface SqliteEvent {
  readonly at: number;
  readonly kind: string;
  /** The database's file name. */
  readonly database: string;
}

/** A folder with the counter in it: every process that loads it from there writes its events there. */
export class EventFolder implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'berth-count-'));

  constructor() {
    // A reader may run as another user.
    chmodSync(this.#folder, 0o1777);
    copyFileSync(fileURLToPath(new URL('sqlite-counter.cjs', import.meta.url)), this.counter);
  }

  get counter(): string {
    return join(this.#folder, 'sqlite-counter.cjs');
  }

  get straceOutput(): string {
    return join(this.#folder, 'strace');
  }

  /** The ids of processes that have told anything. */
  counted(): ReadonlySet<number> {
    return new Set(this.#files().map((name) => Number(name.split('-')[0])));
  }

  /** The events of these processes, all their threads together. */
  read(pids: readonly number[]): readonly SqliteEvent[] {
    return this.#files()
      .filter((name) => pids.includes(Number(name.split('-')[0])))
      .flatMap((name) => readFileSync(join(this.#folder, name), 'utf8').trimEnd().split('\n'))
      .filter((line) => line !== '')
      .map((line) => {
        const [at = '', kind = '', database = ''] = line.split(' ');
        return { at: Number(at), kind, database };
      });
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #files(): readonly string[] {
    return readdirSync(this.#folder).filter((name) => name.endsWith('.events'));
  }
}

const straceLine = /^\d+\s+(\d+\.\d+) (open|openat|unlink|unlinkat)\(.*?"([^"]*)"(.*)$/;

/** Opens of databases, and deletions of journals, each of which is a commit. */
export function readStrace(text: string): readonly SqliteEvent[] {
  return text.split('\n').flatMap((line) => {
    const [, seconds = '', call = '', path = '', rest = ''] = straceLine.exec(line) ?? [];
    const name = path.slice(path.lastIndexOf('/') + 1);
    const at = Number(seconds) * 1_000;
    if (rest.includes('= -1 E')) return [];
    if (call.startsWith('open') && name.endsWith('.db'))
      return [{ at, kind: 'open', database: name }];
    if (call.startsWith('unlink') && name.endsWith('.db-journal')) {
      return [{ at, kind: 'commit', database: name.replace(/-journal$/, '') }];
    }
    return [];
  });
}
