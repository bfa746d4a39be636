/**
 * Measures what one warm message costs at the least: its fsynced commits and its file events, in two processes with
 * open handles and kept statements, without a daemon and without a container.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync, utimesSync, watch, writeFileSync, type FSWatcher } from 'node:fs';
import { spawn, type ChildProcess } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDatabase, type Db } from '../shared/base/sqlite/sqlite.js';

export const floorFiles = {
  inbound: 'inbound.db',
  outbound: 'outbound.db',
  /** Touched after a commit on the file that it is named for. */
  inboundWake: 'inbound.wake',
  outboundWake: 'outbound.wake',
} as const;

type Write = ReturnType<typeof prepareWrite>;

const root = fileURLToPath(new URL('..', import.meta.url));

/** Has the same face as a Chat, so that it takes its turns with daemons. */
export class Floor implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'berth-floor-'));
  readonly #inbound: Db;
  readonly #append: Write;
  readonly #end: Write;
  readonly #watcher: FSWatcher;
  readonly #runner: ChildProcess;
  #replied: () => void = () => undefined;
  #count = 0;

  constructor() {
    const { inbound, outbound, inboundWake, outboundWake } = floorFiles;
    for (const name of [inboundWake, outboundWake]) writeFileSync(this.#path(name), '');
    this.#inbound = openDatabase(this.#path(inbound), { mode: 'create', busyTimeoutMs: 1_000 });
    this.#inbound.exec(
      `CREATE TABLE messages_in (id INTEGER PRIMARY KEY, content TEXT);
       CREATE TABLE delivered (id INTEGER PRIMARY KEY, status TEXT)`,
    );
    const made = openDatabase(this.#path(outbound), { mode: 'create', busyTimeoutMs: 1_000 });
    made.exec(
      `CREATE TABLE processing_ack (id INTEGER PRIMARY KEY, status TEXT);
       CREATE TABLE messages_out (id INTEGER PRIMARY KEY, content TEXT)`,
    );
    made.close();
    this.#append = prepareWrite(this.#inbound, 'INSERT INTO messages_in VALUES (?, ?)');
    this.#end = prepareWrite(this.#inbound, `INSERT INTO delivered VALUES (?, 'delivered')`);
    this.#watcher = watch(this.#path(outboundWake), () => {
      this.#replied();
    });
    const script = fileURLToPath(new URL('floor-runner.ts', import.meta.url));
    const args = ['--import', 'tsx', script, this.#folder];
    this.#runner = spawn(process.execPath, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  }

  async start(): Promise<void> {
    if (this.#runner.stdout !== null) await once(this.#runner.stdout, 'data');
    for (let i = 0; i < 5; i += 1) await this.exchange(`warm-up ${i}`);
  }

  /** Milliseconds until the reply could be sent. Its outcome is committed after that. */
  async exchange(text: string): Promise<number> {
    const id = (this.#count += 1);
    const beganAt = performance.now();
    const replied = new Promise<void>((resolve) => (this.#replied = resolve));
    this.#append.run(id, text);
    const now = new Date();
    utimesSync(this.#path(floorFiles.inboundWake), now, now);
    await replied;
    const tookMs = performance.now() - beganAt;
    this.#end.run(id);
    return tookMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watcher.close();
    this.#inbound.close();
    const ended = once(this.#runner, 'exit');
    if (this.#runner.kill('SIGKILL')) await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

function prepareWrite(db: Db, sql: string) {
  return db.prepare(sql);
}
