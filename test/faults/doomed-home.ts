import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProgramPaths } from '../../host/config/config.js';
import type { ProcessRecord } from '../../host/containers/runtime/process/process-records.js';
import { withDatabase } from '../../shared/base/sqlite/sqlite.js';
import { BerthHome } from '../fakes/berth-home.js';
import { until } from '../fakes/waiting.js';
import { Ledger } from './ledger.js';

/** How a daemon is to end, and what is odd about it. */
export interface Doom {
  /** The log line that it does not survive. */
  readonly line?: string;
  /** Which time it says it; 1 by default. */
  readonly nth?: number;
  /** The files that it uses in place of the program's own. */
  readonly program?: Partial<ProgramPaths>;
  /** A script that it loads before anything else. */
  readonly preload?: string;
}

/** Made by global-setup.ts. */
export const doomedScript = fileURLToPath(
  new URL('../../dist/faults/doomed-daemon.mjs', import.meta.url),
);

const stopWaitMs = 20_000;
const writing = { mode: 'write', busyTimeoutMs: 2_000 } as const;

/** A daemon as a process of its own. */
export class DoomedDaemon {
  readonly #child: ChildProcess;
  readonly ended: Promise<NodeJS.Signals | number>;
  #wasStopped = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.ended = once(child, 'exit').then(
      ([code, signal]) => (signal ?? code) as NodeJS.Signals | number,
    );
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** It has ended in order, and its containers with it. */
  get wasStopped(): boolean {
    return this.#wasStopped;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends it and its containers in order; by force where that takes too long. */
  async stop(): Promise<void> {
    if (!this.isRunning) return;
    const late = setTimeout(() => {
      this.signal('SIGKILL');
    }, stopWaitMs);
    this.signal('SIGTERM');
    this.#wasStopped = (await this.ended) === 0;
    clearTimeout(late);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}

/** A home whose daemons may die at a chosen place. At its end it leaves nothing running. */
export class DoomedHome extends BerthHome {
  readonly #daemons: DoomedDaemon[] = [];
  readonly #ledgers: Ledger[] = [];

  /** Does not wait until it is ready: it may be its fate not to be. */
  run(doom: Doom = {}): DoomedDaemon {
    assertSaid(doom.line);
    const preload = doom.preload === undefined ? [] : ['--require', doom.preload];
    const child = spawn(process.execPath, [...preload, doomedScript], {
      env: { ...this.env, BERTH_TEST_DOOM: JSON.stringify(doom) },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const daemon = new DoomedDaemon(child);
    this.#daemons.push(daemon);
    return daemon;
  }

  async runUntilReady(doom: Doom = {}): Promise<DoomedDaemon> {
    const daemon = this.run(doom);
    await until(async () => {
      const wire = await this.wire();
      await wire[Symbol.asyncDispose]();
    });
    return daemon;
  }

  /** Of a type that only the daemon of these tests knows; its id is the type. */
  async addChannel(type: string): Promise<void> {
    await this.json('migrate');
    withDatabase(join(this.home, 'data', 'central.db'), writing, (db) =>
      db
        .prepare(`INSERT INTO channels (id, type, created_at) VALUES (?, ?, '2026-01-01')`)
        .run(type, type),
    );
  }

  /** The session that answers a chat now. */
  sessionOf(chat: string): string {
    const id = this.central((db) =>
      db
        .prepare<[string], string>(
          `SELECT s.id FROM sessions s JOIN messaging_groups g ON g.id = s.messaging_group_id
           WHERE g.platform_id = ? AND s.status = 'active'`,
        )
        .pluck()
        .get(chat),
    );
    if (id === undefined) throw new Error(`no session answers ${chat}`);
    return id;
  }

  /** Ids of the messages that a chat's runner works on. */
  claimsOf(chat: string): readonly string[] {
    const path = join(this.sessionDir(this.sessionOf(chat)), 'out', 'outbound.db');
    return withDatabase(path, { mode: 'read', busyTimeoutMs: 2_000 }, (db) =>
      db
        .prepare<[], string>(`SELECT message_id FROM processing_ack WHERE status = 'processing'`)
        .pluck()
        .all(),
    );
  }

  /** The runner's process id, with the process runtime. */
  runnerOf(chat: string): number {
    const sessionId = this.sessionOf(chat);
    const folder = join(this.home, 'data', 'processes');
    for (const name of readdirSync(folder).filter((it) => it.endsWith('.json'))) {
      const record = JSON.parse(readFileSync(join(folder, name), 'utf8')) as ProcessRecord;
      if (record.owner.sessionId === sessionId && record.exit === null) return record.pid;
    }
    throw new Error(`no runner for ${chat}`);
  }

  /** Closed with the home. */
  ledger(name?: string): Ledger {
    const ledger = new Ledger(this.socket, name);
    this.#ledgers.push(ledger);
    return ledger;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    for (const ledger of this.#ledgers) await ledger[Symbol.asyncDispose]();
    for (const daemon of this.#daemons) await daemon.stop();
    // Containers outlive a killed daemon, and one told to end before it could listen: the next one ends them.
    if (this.#daemons.at(-1)?.wasStopped !== true) await this.berth('start', '--detach');
    await super[Symbol.asyncDispose]();
  }
}

/** A line that no daemon says would be waited for until the test runs out of time. */
function assertSaid(line: string | undefined): void {
  if (line === undefined || readFileSync(doomedScript, 'utf8').includes(line)) return;
  throw new Error(`The daemon has no log line '${line}'.`);
}
