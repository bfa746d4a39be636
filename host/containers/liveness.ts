/**
 * Knows whether the turns of running containers are alive. Times are this process's own, from performance.now(): the
 * clock may jump, and the mtime of a heartbeat is the container's word; only that it has changed counts.
 */
import { basename, dirname } from 'node:path';
import type { Clock } from '../../shared/base/clock.js';
import { errnoOf, hasCode } from '../../shared/base/errors.js';
import { withConfinedFile } from '../sessions/files/confined-file.js';

export type Health =
  /** To be asked again after so many milliseconds. */
  | { readonly kind: 'fine'; readonly checkInMs: number }
  /** The turn hangs, or goes on for too long. */
  | { readonly kind: 'stuck'; readonly reason: string };

export interface LivenessLimits {
  /** The longest silence of a turn, unless it announces a longer one, in milliseconds. */
  readonly silenceTimeoutMs: number;
  readonly turnTimeoutMs: number;
}

export interface LivenessSigns {
  readonly containerId: string;
  readonly heartbeatPath: string;
  /** The oldest message that is claimed; undefined where none is; `unreadable` where that cannot be told. */
  readonly claimed: string | undefined;
}

/** In the place of a message: outbound.db cannot be read now. */
export const unreadable = '(unreadable)';

/** All that was seen of a container, and when. */
interface Observation {
  readonly containerId: string;
  readonly since: number;
  /** Undefined while it has nothing to do. */
  busySince: number | undefined;
  checkedAt: number;
  nextCheckAt: number;
  sign: string;
  signSince: number;
  claimed: string | undefined;
  claimedSince: number;
}

/** A container is given this long after this daemon has started it or taken it over, in milliseconds. */
const startGraceMs = 10_000;

/** A turn is timed from the check that first sees what it is at: by so much of its time it may be late. */
const firstCheckShare = 0.1;

const noSign = 'none';

/** A beat that is seen for the first time counts as at least this fresh: only its age by the clock says otherwise. */
const confirmMs = 5_000;

export interface LivenessDeps {
  readonly clock: Clock;
  /** Milliseconds that never jump. */
  readonly monotonicNow: () => number;
}

export class Liveness {
  readonly #deps: LivenessDeps;
  readonly #observations = new Map<string, Observation>();

  constructor(deps: LivenessDeps) {
    this.#deps = deps;
  }

  /** Its container runs and has nothing to do: its silence is no sign of anything. */
  rest(sessionId: string): void {
    const seen = this.#observations.get(sessionId);
    if (seen !== undefined) seen.busySince = undefined;
  }

  /** The session has no container any more. */
  forget(sessionId: string): void {
    this.#observations.delete(sessionId);
  }

  /** Its container runs and has work to do. Returns in how many milliseconds it is to be checked; 0: now. */
  watch(sessionId: string, containerId: string, limits: LivenessLimits): number {
    const nowMs = this.#deps.monotonicNow();
    const known = this.#observations.get(sessionId);
    const seen = known?.containerId === containerId ? known : newObservation(containerId, nowMs);
    this.#observations.set(sessionId, seen);
    if (seen.busySince === undefined) {
      seen.busySince = nowMs;
      const { silenceTimeoutMs, turnTimeoutMs } = limits;
      seen.nextCheckAt = nowMs + Math.min(silenceTimeoutMs, turnTimeoutMs * firstCheckShare);
    }
    return Math.max(0, seen.nextCheckAt - nowMs);
  }

  /** Of a session that is watched. */
  async check(sessionId: string, signs: LivenessSigns, limits: LivenessLimits): Promise<Health> {
    const heartbeat = await readHeartbeat(signs.heartbeatPath);
    const nowMs = this.#deps.monotonicNow();
    const seen = this.#observations.get(sessionId) ?? newObservation(signs.containerId, nowMs);
    const { silenceTimeoutMs, turnTimeoutMs } = limits;
    noteClaim(seen, signs.claimed, nowMs);
    const allowedMs = Math.max(silenceTimeoutMs, Math.min(heartbeat.announcedMs, turnTimeoutMs));
    if (heartbeat.sign !== noSign && seen.sign !== heartbeat.sign) {
      seen.sign = heartbeat.sign;
      seen.signSince = this.#ageSign(heartbeat.mtimeMs, seen.checkedAt, nowMs, allowedMs);
    }
    seen.checkedAt = nowMs;
    const aliveAt = Math.max(seen.signSince, seen.busySince ?? nowMs);
    const silentAt = Math.max(aliveAt + allowedMs, seen.since + startGraceMs);
    const overdueAt =
      seen.claimed === undefined
        ? Infinity
        : Math.max(seen.claimedSince + turnTimeoutMs, seen.since + startGraceMs);
    seen.nextCheckAt = Math.min(silentAt, overdueAt);
    if (nowMs >= overdueAt) {
      return { kind: 'stuck', reason: `its turn took longer than ${inSeconds(turnTimeoutMs)}` };
    }
    if (nowMs >= silentAt) {
      return { kind: 'stuck', reason: `it gave no sign of life for ${inSeconds(allowedMs)}` };
    }
    return { kind: 'fine', checkInMs: seen.nextCheckAt - nowMs };
  }

  /** When a new sign was made: no earlier than the last check, and not so early that it could not be confirmed. */
  #ageSign(mtimeMs: number, checkedAt: number, nowMs: number, allowedMs: number): number {
    const ageMs = Math.max(0, this.#deps.clock.now() - mtimeMs);
    const oldestMs = Math.min(nowMs - checkedAt, allowedMs - Math.min(confirmMs, allowedMs));
    return nowMs - Math.min(ageMs, oldestMs);
  }
}

/** A claim that cannot be read goes on being what it was; a turn does not begin anew by that. */
function noteClaim(seen: Observation, claimed: string | undefined, nowMs: number): void {
  if (seen.claimed === claimed) return;
  if (claimed === unreadable && seen.claimed !== undefined) return;
  seen.claimed = claimed;
  seen.claimedSince = nowMs;
}

function newObservation(containerId: string, nowMs: number): Observation {
  return {
    containerId,
    since: nowMs,
    busySince: undefined,
    checkedAt: nowMs,
    nextCheckAt: nowMs,
    sign: noSign,
    signSince: nowMs,
    claimed: undefined,
    claimedSince: nowMs,
  };
}

interface Heartbeat {
  /** Differs after every beat. */
  readonly sign: string;
  readonly mtimeMs: number;
  readonly announcedMs: number;
}

/** The file is the container's: whatever it is, nothing is followed, nothing else is opened, and little is read. */
async function readHeartbeat(path: string): Promise<Heartbeat> {
  try {
    return await withConfinedFile(dirname(path), [basename(path)], {}, async ({ handle, stat }) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(16), 0, 16, 0);
      const announcedMs = /^(\d{1,12})\n/.exec(buffer.toString('latin1', 0, bytesRead))?.[1];
      return {
        sign: `${stat.ino}:${stat.mtimeNs}`,
        mtimeMs: Number(stat.mtimeMs),
        announcedMs: Number(announcedMs ?? 0),
      };
    });
  } catch (error) {
    if (!hasCode(error, 'file_refused') && errnoOf(error) === undefined) throw error;
    return { sign: noSign, mtimeMs: 0, announcedMs: 0 };
  }
}

function inSeconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
