import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Clock } from '../../../../shared/base/clock.js';
import { BerthError, toBerthError } from '../../../../shared/base/errors.js';
import { Deadline, delay } from '../../../../shared/base/lifecycle.js';
import type { Logger } from '../../../../shared/base/logger.js';
import { PollLoop } from '../../../../shared/base/poll-loop.js';
import {
  copyAndTruncateIfLarge,
  rotateIfLarge,
  type LogLimits,
} from '../../../../shared/base/rotating-log.js';
import { workspaceVariables } from '../../../../shared/protocol/workspace.js';
import type {
  ContainerExit,
  ContainerRuntime,
  ContainerSpec,
  ObservedContainer,
} from '../../spec/container-runtime.js';
import { findProcessStart, isOfGroup, signalGroup } from './process-identity.js';
import { spawnRunner } from './process-spawn.js';
import { ProcessRecords, type ProcessRecord } from './process-records.js';

export interface ProcessRuntimeDeps {
  /** By provider: its runner's file, run with this program's own Node. */
  readonly runners: Readonly<Record<string, string>>;
  /** The folder of the records of the processes. */
  readonly stateDir: string;
  readonly installId: string;
  /** The processes' PATH; they see nothing else of the daemon's environment. */
  readonly path: string;
  readonly logLimits: LogLimits;
  /** How often processes of an earlier daemon, and the sizes of logs, are checked, in milliseconds. */
  readonly pollIntervalMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

const killWaitMs = 5_000;
const adoptedPollMs = 20;

/**
 * Runs runners as plain processes: nothing is isolated. Each is the leader of its own session and process group
 * and writes to its log by itself, so it goes on when the daemon dies; its record on disk is how the next
 * daemon finds it.
 */
export class ProcessRuntime implements ContainerRuntime {
  readonly name = 'process';
  readonly isolates = false;
  readonly #deps: ProcessRuntimeDeps;
  readonly #records: ProcessRecords;
  readonly #poll: PollLoop;
  /** Processes of our own, until their end is recorded: an event tells it, not a poll. */
  readonly #children = new Map<string, Promise<void>>();
  /** Names whose start has not returned yet. */
  readonly #starting = new Set<string>();
  #imageName: Promise<string> | undefined;
  #onExit: ((exit: ContainerExit) => void) | undefined;
  #closed = false;

  constructor(deps: ProcessRuntimeDeps) {
    this.#deps = deps;
    this.#records = new ProcessRecords({ folder: deps.stateDir, log: deps.log });
    this.#poll = new PollLoop({
      name: 'processes',
      poll: () => this.#pollOnce(),
      intervalMs: deps.pollIntervalMs,
      log: deps.log,
    });
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  async list(): Promise<readonly ObservedContainer[]> {
    const records = await this.#listRecords();
    const born = records.filter(({ name }) => !this.#starting.has(name));
    return await Promise.all(born.map((record) => this.#observe(record)));
  }

  /** The runners' files as they are when they are first asked for. */
  imageName(): Promise<string> {
    this.#imageName ??= nameRunners(Object.values(this.#deps.runners));
    return this.#imageName;
  }

  hasImage(): Promise<boolean> {
    return Promise.resolve(true);
  }

  async start(spec: ContainerSpec): Promise<string> {
    if (this.#starting.has(spec.name)) throw nameTaken(spec.name);
    this.#starting.add(spec.name);
    try {
      await this.#freeName(spec.name);
      const record = await this.#spawn(spec);
      const processStart = await findProcessStart(record.pid);
      if (processStart !== undefined && this.#children.has(record.containerId)) {
        this.#records.save({ ...record, processStart });
      }
      return record.containerId;
    } finally {
      this.#starting.delete(spec.name);
    }
  }

  async stop(containerId: string, graceMs: number): Promise<void> {
    const record = await this.#records.find(containerId);
    if (record === undefined || !(await this.#isRunning(record))) return;
    signalGroup(record.pid, 'SIGTERM');
    if (!(await this.#endsWithin(record, graceMs))) await this.#kill(record);
    await this.#recordEnd(record.containerId, null);
  }

  async remove(containerId: string): Promise<void> {
    const record = await this.#records.find(containerId);
    if (record === undefined) return;
    if (await this.#isRunning(record)) await this.#kill(record);
    await this.#records.delete(containerId);
  }

  async hasProcess(containerId: string, pid: number): Promise<boolean> {
    const record = await this.#records.find(containerId);
    if (record === undefined || !(await this.#isRunning(record))) return false;
    return await isOfGroup(pid, record.pid);
  }

  /** Nothing to do: a process writes to its log by itself. */
  followLog(): void {
    return;
  }

  watchExits(onExit: (exit: ContainerExit) => void): void {
    this.#onExit = onExit;
    this.#poll.start();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#poll.stop();
  }

  async #listRecords(): Promise<readonly ProcessRecord[]> {
    const records = await this.#records.list();
    return records.filter(({ owner }) => owner.installId === this.#deps.installId);
  }

  async #freeName(name: string): Promise<void> {
    const holders = (await this.#listRecords()).filter((record) => record.name === name);
    for (const holder of holders) {
      if (await this.#isRunning(holder)) throw nameTaken(name);
      await this.#records.delete(holder.containerId);
    }
  }

  async #spawn(spec: ContainerSpec): Promise<ProcessRecord> {
    const { runners, logLimits, clock } = this.#deps;
    const { workspace, logPath, provider } = spec;
    const runnerPath = runners[provider];
    if (runnerPath === undefined) throw noRunner(provider);
    await rotateIfLarge(logPath, logLimits);
    const env = this.#environment(spec);
    const { pid, ended } = await spawnRunner({ runnerPath, cwd: workspace.agentDir, env, logPath });
    const containerId = randomBytes(12).toString('hex');
    const record: ProcessRecord = {
      containerId,
      name: spec.name,
      owner: spec.owner,
      pid,
      processStart: null,
      startedAtMs: clock.now(),
      logPath,
      fingerprint: spec.fingerprint,
      exit: null,
    };
    try {
      this.#records.save(record);
    } catch (error) {
      signalGroup(pid, 'SIGKILL');
      throw toBerthError(error);
    }
    this.#children.set(
      containerId,
      ended.then((code) => this.#recordEnd(containerId, code)),
    );
    return record;
  }

  #environment(spec: ContainerSpec): Record<string, string> {
    const { workspace, env } = spec;
    return {
      PATH: this.#deps.path,
      ...env,
      [workspaceVariables.inDir]: workspace.inDir,
      [workspaceVariables.outDir]: workspace.outDir,
      [workspaceVariables.agentDir]: workspace.agentDir,
      [workspaceVariables.homeDir]: workspace.homeDir,
    };
  }

  async #observe(record: ProcessRecord): Promise<ObservedContainer> {
    const { containerId, owner, startedAtMs, fingerprint } = record;
    const running = await this.#isRunning(record);
    return {
      containerId,
      owner,
      state: running ? 'running' : 'exited',
      startedAtMs,
      exitCode: running ? null : (record.exit?.code ?? null),
      fingerprint,
    };
  }

  async #isRunning(record: ProcessRecord): Promise<boolean> {
    if (record.exit !== null) return false;
    if (this.#children.has(record.containerId)) return true;
    const processStart = await findProcessStart(record.pid);
    if (processStart === undefined) return false;
    return record.processStart === null || record.processStart === processStart;
  }

  async #kill(record: ProcessRecord): Promise<void> {
    signalGroup(record.pid, 'SIGKILL');
    if (await this.#endsWithin(record, killWaitMs)) return;
    throw new BerthError('engine_timeout', `Process ${record.pid} was killed and did not end.`, {
      next: 'It most likely waits for a disk or a network file system: see ps -o stat,wchan.',
    });
  }

  async #endsWithin(record: ProcessRecord, limitMs: number): Promise<boolean> {
    const deadline = new Deadline(limitMs);
    const child = this.#children.get(record.containerId);
    if (child !== undefined) return (await deadline.wait(child)) === 'done';
    while (await this.#isRunning(record)) {
      if (deadline.remainingMs() === 0) return false;
      await delay(Math.min(adoptedPollMs, deadline.remainingMs()));
    }
    return true;
  }

  /** The daemon's part for processes that nobody tells about, and for logs that nobody else keeps small. */
  async #pollOnce(): Promise<void> {
    for (const record of await this.#listRecords()) {
      if (record.exit !== null) continue;
      if (await this.#isRunning(record)) {
        await copyAndTruncateIfLarge(record.logPath, this.#deps.logLimits);
      } else {
        await this.#recordEnd(record.containerId, null);
      }
    }
  }

  /** Also ends what the process left in its group. Never rejects. */
  async #recordEnd(containerId: string, code: number | null): Promise<void> {
    try {
      const record = await this.#records.find(containerId);
      if (this.#closed || record?.exit !== null) return;
      if ((await findProcessStart(record.pid)) === undefined) signalGroup(record.pid, 'SIGKILL');
      this.#records.save({ ...record, exit: { code } });
      this.#onExit?.({ containerId, sessionId: record.owner.sessionId });
    } catch (err) {
      this.#deps.log.warn({ err, containerId }, 'process end not recorded');
    } finally {
      this.#children.delete(containerId);
    }
  }
}

async function nameRunners(paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) hash.update(await readRunner(path));
  return `runner:${hash.digest('hex').slice(0, 12)}`;
}

async function readRunner(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new BerthError('image_failed', `The runner ${path} cannot be read.`, { cause: error });
  }
}

function noRunner(provider: string): BerthError {
  return new BerthError('image_failed', `There is no runner for the provider ${provider}.`, {
    next: 'Make it with npm run build.',
  });
}

function nameTaken(name: string): BerthError {
  return new BerthError('engine_failed', `A process named ${name} runs already.`, {
    next: 'Stop it first.',
  });
}
