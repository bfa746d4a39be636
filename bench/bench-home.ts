import { once } from 'node:events';
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { rm } from 'node:fs/promises';
import { ensureInstall } from '../host/store/home/install-id.js';
import { delay } from '../shared/base/lifecycle.js';
import { BerthHome, mainScript } from '../test/fakes/berth-home.js';
import type { TerminalWire } from '../test/fakes/terminal-wire.js';
import { listRunning, removeAll, type BenchEngine } from './engine.js';

/** The part of `berth status --json` that tells of the event loop; in milliseconds. */
export interface LoopDelay {
  readonly longestMs: number;
  readonly p99Ms: number;
}

interface Status {
  readonly running: boolean;
  readonly pid?: number;
  readonly loopDelay?: LoopDelay | null;
}

/** Enough for every measure: what is measured is not the queue at the door. */
const roomy = { BERTH_MAX_CONTAINERS: '64', BERTH_MEMORY_BUDGET_MB: '131072' };

/** A profiler that is given to the bench is for its daemons. */
const nodeOptions = process.env['NODE_OPTIONS'];
const profiled: Record<string, string> =
  nodeOptions === undefined ? {} : { NODE_OPTIONS: nodeOptions };

/** A BERTH_HOME to measure in. Whatever happens, it leaves neither a daemon nor a container. */
export class BenchHome extends BerthHome {
  readonly #engine: BenchEngine;
  readonly #daemons: ChildProcess[] = [];
  #starting: Promise<unknown> = Promise.resolve();
  #disposed: Promise<void> | undefined;

  /** `script`: the build that is measured; this one where it is left out. */
  constructor(engine: BenchEngine, script?: string) {
    super(
      engine.runtime,
      { ...roomy, ...profiled, ...engine.env },
      script === undefined ? {} : { script },
    );
    this.#engine = engine;
  }

  override start(): Promise<void> {
    if (this.#disposed !== undefined) throw new Error('this home is being taken away');
    const starting = super.start();
    this.#starting = starting.catch(() => undefined);
    return starting;
  }

  async status(): Promise<Status> {
    const { stdout } = await this.berth('status', '--json');
    return JSON.parse(stdout) as Status;
  }

  async stop(): Promise<void> {
    const { exitCode, stderr } = await this.berth('stop');
    if (exitCode !== 0) throw new Error(`berth stop: ${stderr}`);
  }

  /** Starts the daemon as systemd would and speaks to it as soon as it listens; returns the wire and when it began. */
  async startAndConnect(): Promise<{ wire: TerminalWire; beganAt: number }> {
    if (this.#disposed !== undefined) throw new Error('this home is being taken away');
    const beganAt = performance.now();
    const daemon = spawn(process.execPath, [mainScript, 'start', '--detached'], {
      env: this.env,
      stdio: 'ignore',
      detached: true,
    });
    daemon.unref();
    this.#daemons.push(daemon);
    const ended = once(daemon, 'exit').then(() => 'ended' as const);
    for (;;) {
      try {
        return { wire: await this.wire(), beganAt };
      } catch {
        const now = await Promise.race([ended, delay(2)]);
        if (now === 'ended') throw new Error('the daemon did not start');
      }
    }
  }

  /** Ids of running containers by session. */
  containers(): Promise<ReadonlyMap<string, string>> {
    return listRunning(this.#installId());
  }

  sessionOf(platformId: string): string {
    const id = this.central((db) =>
      db
        .prepare<[string], string>(
          `SELECT sessions.id FROM sessions JOIN messaging_groups ON messaging_groups.id = messaging_group_id
           WHERE platform_id = ? AND status = 'active'`,
        )
        .pluck()
        .get(platformId),
    );
    if (id === undefined) throw new Error(`no session for ${platformId}`);
    return id;
  }

  override [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    await this.#starting;
    const { running, pid } = await this.status().catch(() => ({ running: false, pid: undefined }));
    // Processes are only found by a daemon: one that was killed is followed by another, which ends them.
    if (!running && this.#engine.runtime === 'process') await this.berth('start', '--detach');
    const { exitCode } = await this.berth('stop');
    if (exitCode !== 0 && running && pid !== undefined) process.kill(pid, 'SIGKILL');
    // A container that had only begun to start was not there to be stopped.
    for (const daemon of this.#daemons) daemon.kill('SIGKILL');
    if (this.#engine.runtime === 'docker') await this.#removeContainers();
    await rm(this.home, { recursive: true, force: true, maxRetries: 10 });
  }

  async #removeContainers(): Promise<void> {
    try {
      await removeAll(this.#installId());
    } catch (error) {
      console.error(`containers of ${this.home} may be left:`, error);
    }
  }

  #installId(): string {
    const { id } = ensureInstall({
      home: this.home,
      installIdFile: join(this.home, 'data', 'install-id'),
      installHomeFile: join(this.home, 'data', 'install-home.json'),
    });
    return id;
  }
}
