import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { runProgram } from '../../host/cli/program.js';
import type { SelfCommand } from '../../host/cli/command/process-edge.js';
import type { ContainersAtStop } from '../../host/daemon/daemon.js';
import { openStore } from '../../host/store/central/central-db.js';
import type { Store } from '../../host/store/store.js';

const tsx = createRequire(import.meta.url).resolve('tsx');
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCommand {
  readonly result: Promise<CommandResult>;
  stdout(): string;
  stderr(): string;
  /** As a signal would. */
  stop(containers?: ContainersAtStop): void;
  /** As an exception that nobody caught would. */
  crash(error: unknown): void;
}

class Screen extends Writable {
  text = '';
  readonly isTTY: boolean;
  readonly columns: number;

  constructor(columns: number | undefined) {
    super({ decodeStrings: false });
    this.columns = columns ?? 80;
    this.isTTY = columns !== undefined;
  }

  override _write(chunk: string, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk;
    done();
  }
}

/** The whole program in this process, with a home of its own. */
export class CommandLine implements Disposable {
  readonly home = mkdtempSync(join(tmpdir(), 'berth-cli-'));
  /** How wide the terminal is; undefined where none shows the output. */
  columns: number | undefined;
  /** The command that `start --detach` starts: this program from its sources. */
  self: SelfCommand = {
    command: process.execPath,
    args: ['--import', tsx, join(root, 'host', 'main.ts')],
  };

  begin(...args: string[]): RunningCommand {
    const stdout = new Screen(this.columns);
    const stderr = new Screen(this.columns);
    let stop: (containers: ContainersAtStop) => void = () => undefined;
    let crash: (error: unknown) => void = () => undefined;
    const exitCode = runProgram({
      argv: ['--home', this.home, ...args],
      stdin: new PassThrough(),
      stdout,
      stderr,
      self: this.self,
      onStopRequest: (listen) => (stop = listen),
      onCrash: (listen) => (crash = listen),
    });
    return {
      result: exitCode.then((code) => ({
        exitCode: code,
        stdout: stdout.text,
        stderr: stderr.text,
      })),
      stdout: () => stdout.text,
      stderr: () => stderr.text,
      stop: (containers = 'stop') => {
        stop(containers);
      },
      crash: (error) => {
        crash(error);
      },
    };
  }

  run(...args: string[]): Promise<CommandResult> {
    return this.begin(...args).result;
  }

  /** The parsed output with --json. Throws with what it said when it fails. */
  async json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
    const { exitCode, stdout, stderr } = await this.run(...args, '--json');
    if (exitCode !== 0) throw new Error(`berth ${args.join(' ')}: ${exitCode} ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  /** Returns what a command that fails says with --json. */
  async failure(...args: string[]): Promise<{ code: string; message: string; next: string }> {
    const { exitCode, stderr } = await this.run(...args, '--json');
    if (exitCode === 0) throw new Error(`berth ${args.join(' ')} did not fail`);
    const { error } = JSON.parse(stderr) as {
      error: { code: string; message: string; next: string };
    };
    return error;
  }

  store<T>(use: (store: Store) => T): T {
    const data = join(this.home, 'data');
    const { store } = openStore(
      {
        centralDb: join(data, 'central.db'),
        backupsDir: join(data, 'backups'),
        migrationsDir: join(root, 'migrations'),
      },
      Date.now(),
    );
    try {
      return use(store);
    } finally {
      store.close();
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}
