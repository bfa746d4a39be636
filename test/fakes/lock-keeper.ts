import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const program = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const script = `
  const Database = require('better-sqlite3');
  const db = new Database(process.argv[1], { readonly: true });
  db.exec('BEGIN');
  db.prepare('SELECT count(*) FROM sqlite_schema').get();
  process.stdout.write('held');
  process.stdin.on('end', () => process.exit()).resume();
`;

/** Another program that reads a database, as a backup does, and keeps its read lock until it is told to end. */
export class LockKeeper implements AsyncDisposable {
  readonly pid: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.pid = child.pid ?? 0;
  }

  static async hold(path: string): Promise<LockKeeper> {
    const child = spawn(process.execPath, ['-e', script, path], {
      cwd: program,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    return new LockKeeper(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await ended;
  }
}
