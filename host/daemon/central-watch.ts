import { statSync } from 'node:fs';
import type { Logger } from '../../shared/base/logger.js';
import { PollLoop } from '../../shared/base/poll-loop.js';
import type { Store } from '../store/store.js';
import type { Mailbox } from '../sessions/mailbox/mailbox.js';
import type { SessionRegistry } from '../sessions/session-registry.js';

export interface CentralWatchDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  readonly sessions: SessionRegistry;
  readonly log: Logger;
  readonly pollIntervalMs: number;
  /** The path of the central database. */
  readonly path: string;
  /** Another process has written to the central database. */
  readonly onChange: () => void;
  /** The file was taken away or replaced while it was open: what is written goes nowhere. */
  readonly onReplaced: () => void;
}

/** Notices what commands write, and brings the mailboxes of running sessions up to date with it. */
export class CentralWatch {
  readonly #deps: CentralWatchDeps;
  readonly #loop: PollLoop;
  #inode: bigint | undefined;
  #version = 0;

  constructor(deps: CentralWatchDeps) {
    this.#deps = deps;
    this.#inode = findInode(deps.path);
    this.#loop = new PollLoop({
      name: 'central database',
      poll: () => this.#poll(),
      intervalMs: deps.pollIntervalMs,
      log: deps.log,
    });
  }

  start(): void {
    this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  async #poll(): Promise<void> {
    const { store, path, onChange, onReplaced } = this.#deps;
    const inode = findInode(path);
    if (inode !== this.#inode) onReplaced();
    this.#inode = inode;
    const version = store.dataVersion();
    if (version === this.#version) return;
    this.#version = version;
    onChange();
    for (const { id } of store.sessions.listWithContainer()) await this.#project(id);
  }

  async #project(sessionId: string): Promise<void> {
    const { store, mailbox, sessions, log } = this.#deps;
    const session = store.sessions.find(sessionId);
    if (session === undefined) return;
    try {
      await mailbox.project(sessionId, sessions.projectionOf(session));
    } catch (err) {
      log.warn({ err, sessionId }, 'session not brought up to date');
    }
  }
}

function findInode(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}
