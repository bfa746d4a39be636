/** A Docker engine of our own, apart from the machine's, that may be stopped and killed. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { until } from '../fakes/waiting.js';

/** Why there can be none here; undefined where there can. */
export function whyNoSecondEngine(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may start dockerd';
  try {
    execFileSync('dockerd', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'dockerd is not installed';
  }
}

export class SecondEngine implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'be-'));
  readonly #liveRestore: boolean;
  #dockerd: ChildProcess | undefined;

  /** `liveRestore`: containers go on while it is away. */
  constructor(liveRestore: boolean) {
    this.#liveRestore = liveRestore;
  }

  get dockerHost(): string {
    return `unix://${this.#folder}/docker.sock`;
  }

  async start(): Promise<void> {
    const dockerd = spawn(
      'unshare',
      [
        // An engine without a bridge takes away docker0, which is the machine's own engine's: here it sees none.
        ...['--net', 'dockerd'],
        ...['--host', this.dockerHost, '--pidfile', `${this.#folder}/pid`],
        ...['--data-root', `${this.#folder}/data`, '--exec-root', `${this.#folder}/exec`],
        ...['--bridge', 'none', '--iptables=false', '--ip-forward=false', '--ip-masq=false'],
        ...(this.#liveRestore ? ['--live-restore'] : []),
      ],
      { stdio: 'ignore' },
    );
    this.#dockerd = dockerd;
    await until(() => this.#docker('version'));
  }

  /** Takes over an image of the machine's engine. */
  async load(image: string): Promise<void> {
    await execa('docker', ['save', image], { buffer: false }).pipe('docker', [
      '--host',
      this.dockerHost,
      'load',
    ]);
  }

  async listRunning(): Promise<readonly string[]> {
    return linesOf(await this.#docker('ps', '--quiet'));
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const dockerd = this.#dockerd;
    if (dockerd?.exitCode !== null || dockerd.signalCode !== null) return;
    const exit = once(dockerd, 'exit');
    dockerd.kill(signal);
    await exit;
    // Its containerd has died with it, and seems alive where nobody reaps orphans.
    rmSync(`${this.#folder}/exec/containerd/containerd.pid`, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#dockerd?.exitCode !== null || this.#dockerd.signalCode !== null) await this.start();
    const containers = linesOf(await this.#docker('ps', '--all', '--quiet'));
    if (containers.length > 0) await this.#docker('rm', '--force', ...containers);
    await this.end('SIGTERM');
    this.#unmount();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Lists what dockerd leaves mounted, the innermost first. */
  #unmount(): void {
    const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
    const points = mounts.map((line) => line.split(' ')[1] ?? '').reverse();
    for (const point of points.filter((it) => it.startsWith(`${this.#folder}/`))) {
      execFileSync('umount', ['--lazy', point]);
    }
  }

  async #docker(...args: string[]): Promise<string> {
    const { stdout } = await execa('docker', ['--host', this.dockerHost, ...args]);
    return stdout;
  }
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}
