import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { withDatabase, type Db } from '../../shared/base/sqlite/sqlite.js';
import { TerminalWire } from './terminal-wire.js';

/** The built program. */
export const mainScript = join(
  dirname(fileURLToPath(import.meta.url)),
  '..',
  '..',
  'dist',
  'host',
  'main.js',
);

export interface CommandResult {
  /** Undefined where it was killed. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface BerthHomeOptions {
  /** Left out: a temporary folder. */
  readonly home?: string;
  /** The program that each command is started through, as `setpriv` or a shell. */
  readonly through?: readonly string[];
  /** Another build than this one. */
  readonly script?: string;
}

/** A BERTH_HOME of its own, used as a person would: through the command and the socket. */
export class BerthHome implements AsyncDisposable {
  readonly home: string;
  /** The whole environment of what runs for this home. */
  readonly env: Readonly<Record<string, string>>;
  readonly #script: string;

  /** The program that each command is started through, as `setpriv` or a shell. */
  #through: readonly string[];

  /** `runtime`: what agents run in. */
  constructor(
    runtime: 'process' | 'docker' | 'auto',
    env: Record<string, string> = {},
    { home, through = [], script = mainScript }: BerthHomeOptions = {},
  ) {
    this.#through = through;
    this.#script = script;
    this.home = home ?? mkdtempSync(join(tmpdir(), 'berth-'));
    this.env = {
      PATH: process.env['PATH'] ?? '',
      HOME: this.home,
      BERTH_HOME: this.home,
      BERTH_RUNTIME: runtime,
      ...env,
    };
  }

  /** Starts what follows through other words. */
  startThrough(...words: readonly string[]): void {
    this.#through = words;
  }

  get socket(): string {
    return join(this.home, 'data', 'terminal.sock');
  }

  /** Runs a command to its end; never throws for its exit code. */
  async berth(...args: string[]): Promise<CommandResult> {
    const words = [...this.#through, process.execPath, this.#script, ...args] as [
      string,
      ...string[],
    ];
    const [command, ...rest] = words;
    const { exitCode, stdout, stderr } = await execa(command, rest, {
      reject: false,
      extendEnv: false,
      stdin: 'ignore',
      timeout: 60_000,
      env: this.env,
    });
    return { exitCode, stdout, stderr };
  }

  /** The parsed output of a command with --json. Throws with what it said when it fails. */
  async json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
    const { exitCode, stdout, stderr } = await this.berth(...args, '--json');
    if (exitCode !== 0) throw new Error(`berth ${args.join(' ')}: ${exitCode} ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  async start(): Promise<void> {
    const { exitCode, stderr } = await this.berth('start', '--detach');
    if (exitCode !== 0) throw new Error(`berth start: ${stderr}`);
  }

  async pid(): Promise<number> {
    return (await this.json<{ pid: number }>('status')).pid;
  }

  /** Kills the daemon as a crash would, and waits until it is gone. A pid that is known kills at once. */
  async crash(knownPid?: number): Promise<void> {
    const pid = knownPid ?? (await this.pid());
    process.kill(pid, 'SIGKILL');
    for (;;) {
      try {
        process.kill(pid, 0);
        await new Promise((resolve) => setTimeout(resolve, 5));
      } catch {
        return;
      }
    }
  }

  wire(): Promise<TerminalWire> {
    return TerminalWire.open(this.socket);
  }

  /** Reads the central database. */
  central<T>(use: (db: Db) => T): T {
    const path = join(this.home, 'data', 'central.db');
    return withDatabase(path, { mode: 'read', busyTimeoutMs: 2_000 }, use);
  }

  sessionDir(sessionId: string): string {
    return join(this.home, 'data', 'sessions', sessionId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.berth('stop');
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** A folder that another home is moved or copied to; it need not be there yet. */
export class ElsewhereHome extends BerthHome {
  constructor(folder: string, { env }: BerthHome, more: Record<string, string> = {}) {
    super('auto', { ...env, HOME: folder, BERTH_HOME: folder, ...more }, { home: folder });
  }
}
