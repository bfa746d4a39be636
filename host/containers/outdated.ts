/** Compares running containers with what they would be started with now, not more often than is needed. */
import { hasCode } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import { settingsKey, type AgentGroup } from '../store/agent-groups.js';
import type { Session } from '../store/sessions.js';
import {
  findDifference,
  type Difference,
  type Fingerprint,
  type FingerprintPart,
} from './spec/fingerprint.js';
import type { Fingerprints } from './spec/fingerprints.js';
import type { ObservedContainer } from './spec/container-runtime.js';

export interface OutdatedDeps {
  readonly fingerprints: Fingerprints;
  readonly log: Logger;
}

interface Check {
  readonly key: string;
  /** By performance.now(). */
  readonly atMs: number;
  readonly difference: Difference | undefined;
}

/** How long a comparison holds, in milliseconds: a warm chat is not compared at every message. */
const holdsMs = 1_000;
/** A container that differs in the same folder so soon after its replacement tells of a file system with numbers that change. */
const tooSoonMs = 30_000;
const mounts: readonly FingerprintPart[] = ['in', 'out', 'home', 'agent'];

export class Outdated {
  readonly #deps: OutdatedDeps;
  readonly #checks = new Map<string, Check>();
  /** By session and folder: when a container was last replaced for it. */
  readonly #replacedAt = new Map<string, number>();
  readonly #unstable = new Set<FingerprintPart>();
  /** Sessions whose containers are to be replaced after their turn. */
  readonly #waiting = new Map<string, string>();

  constructor(deps: OutdatedDeps) {
    this.#deps = deps;
  }

  /** Returns what differs; undefined where the container may go on. */
  async find(
    session: Session,
    group: AgentGroup,
    { containerId, fingerprint }: ObservedContainer,
  ): Promise<Difference | undefined> {
    const settings = [settingsKey(group), group.name, group.folder, session.provider];
    const key = JSON.stringify([containerId, ...settings]);
    const known = this.#checks.get(session.id);
    const nowMs = performance.now();
    if (known?.key === key && nowMs - known.atMs < holdsMs) return known.difference;
    const now = await this.#findOut(session, group);
    let difference = findDifference(fingerprint, now, this.#unstable);
    if (this.#isUnstable(session.id, difference)) {
      difference = findDifference(fingerprint, now, this.#unstable);
    }
    this.#checks.set(session.id, { key, atMs: nowMs, difference });
    return difference;
  }

  /** A folder whose name cannot be used is told of at the next start. */
  async #findOut(session: Session, group: AgentGroup): Promise<Fingerprint> {
    try {
      return await this.#deps.fingerprints.of(session, group);
    } catch (error) {
      if (hasCode(error, 'invalid_input')) return {};
      throw error;
    }
  }

  /** The container goes on until its turn is over. */
  noteWaiting(sessionId: string, { reason }: Difference): void {
    if (this.#waiting.get(sessionId) === reason) return;
    this.#waiting.set(sessionId, reason);
    this.#deps.log.info({ sessionId, reason }, 'container is replaced after its turn');
  }

  noteReplaced(sessionId: string, { part }: Difference): void {
    this.forget(sessionId);
    if (part === null || !mounts.includes(part)) return;
    this.#replacedAt.set(`${sessionId} ${part}`, performance.now());
  }

  /** Its container fits, or none runs. */
  forgetWaiting(sessionId: string): void {
    this.#waiting.delete(sessionId);
  }

  /** Its container is gone. */
  forget(sessionId: string): void {
    this.#checks.delete(sessionId);
    this.#waiting.delete(sessionId);
  }

  listWaiting(): readonly string[] {
    return [...this.#waiting.keys()];
  }

  /** Such a folder is not compared any more: else its containers would be replaced for ever. */
  #isUnstable(sessionId: string, difference: Difference | undefined): boolean {
    const part = difference?.part ?? null;
    const replacedAt = part === null ? undefined : this.#replacedAt.get(`${sessionId} ${part}`);
    if (part === null || replacedAt === undefined) return false;
    if (performance.now() - replacedAt > tooSoonMs) {
      this.#replacedAt.delete(`${sessionId} ${part}`);
      return false;
    }
    this.#unstable.add(part);
    this.#deps.log.warn(
      { sessionId, folder: part },
      'folder changes its number by itself, not compared',
    );
    return true;
  }
}
