import { z } from 'zod';
import { withDatabase } from '../../shared/base/sqlite/sqlite.js';
import { StatementCache } from '../../shared/base/sqlite/statement-cache.js';
import { folderIdentitySchema } from './home/home-identity.js';

/** How long the event loop was held, in milliseconds: at the most since the start, and while it was last busy. */
const loopDelaySchema = z.object({ longestMs: z.number(), p99Ms: z.number() });

export type LoopDelay = z.infer<typeof loopDelaySchema>;

/** A setting that a daemon goes by, and where it came from. */
const settingSchema = z.object({ value: z.string().nullable(), source: z.string() });

/** The daemon says this about itself; the command line reads it. */
export const daemonStateSchema = z.object({
  phase: z.enum(['starting', 'ready', 'stopping']),
  pid: z.number(),
  version: z.string(),
  startedAt: z.string(),
  runtime: z.string().nullable(),
  /** A sentence where there is something to say: an image being built, an engine that does not answer. */
  activity: z.string().nullable(),
  problem: z.string().nullable(),
  /** A sentence where the disk is slow. */
  disk: z.string().nullable().default(null),
  /** A sentence where the daemon is short of file descriptors, memory or processes. */
  shortage: z.string().nullable().default(null),
  /** By id: `running`, `starting`, `stopped`, `disabled`, or why it failed. */
  channels: z.record(z.string(), z.string()),
  /** By id: why its last start failed, also where a later one did not. */
  channelErrors: z.record(z.string(), z.string()).default({}),
  loopDelay: loopDelaySchema.nullable().default(null),
  /** IANA name of the install's time zone: what commands and the next daemon go by. Null: an older version's word. */
  timeZone: z.string().nullable().default(null),
  /** A sentence where that is not the zone that its environment asked for. */
  timeZoneRemark: z.string().nullable().default(null),
  /** After a stop: sessions whose containers could not be ended. */
  leftRunning: z.array(z.string()).readonly().default([]),
  /** The folder that its program lies in. */
  program: z.string().nullable().default(null),
  /** The home that it runs for: the word of a copied home's original is not its own. Null from an earlier version. */
  homeFolder: folderIdentitySchema.nullable().default(null),
  /** The supervisor that starts it again when it ends; null: nobody. */
  supervisor: z.string().nullable().default(null),
  /**
   * Whether its agents are isolated; while it starts, whether those of the last daemon were. Null: nobody knows, or an
   * earlier version's word.
   */
  isolates: z.boolean().nullable().default(null),
  /** The address of its container engine, where it uses one. */
  engine: z.string().nullable().default(null),
  /** The settings that it goes by; null from an earlier version. */
  settings: z.record(z.string(), settingSchema).nullable().default(null),
  /** A clause that says why the daemon cannot see what its containers' programs may do; null: it can, or none has run. */
  unverified: z.string().nullable().default(null),
  /** Sentences that a person should read, and that are no problem. */
  remarks: z.array(z.string()).readonly().default([]),
});

export type DaemonState = z.infer<typeof daemonStateSchema>;

/** Earlier versions told the runtime's name alone, and only `process` did not isolate. */
export function isolatesAgents({ isolates, runtime }: DaemonState): boolean | null {
  return isolates ?? (runtime === null ? null : runtime !== 'process');
}

/** Folders of sessions that central.db does not know: see host/sessions/adoption. */
const adoptionSchema = z.object({
  /** Until when its own records are complete, ISO-8601: what was made later may be unknown to it. Null: it knows all of them. */
  since: z.string().nullable(),
  /** Sessions whose folders could not be adopted yet. */
  pending: z.array(z.string()).readonly(),
});

export type AdoptionState = z.infer<typeof adoptionSchema>;

const crashTimesSchema = z.array(z.string());
const keptCrashes = 20;

export class DaemonStateStore {
  readonly #statements: StatementCache;

  constructor(statements: StatementCache) {
    this.#statements = statements;
  }

  /** Reads what the last daemon said; whether it lives is for the lock to tell. */
  find(): DaemonState | undefined {
    const json = this.#statements
      .pluck<[], string>(`SELECT value FROM daemon_state WHERE key = 'daemon'`)
      .get();
    if (json === undefined) return undefined;
    const parsed = daemonStateSchema.safeParse(JSON.parse(json));
    return parsed.success ? parsed.data : undefined;
  }

  write(state: DaemonState, now: string): void {
    this.#set('daemon', state, now);
  }

  /** When a daemon of this home last wrote anything here; ISO-8601. */
  findLastTime(): string | undefined {
    const found = this.#statements
      .pluck<[], string | null>('SELECT max(updated_at) FROM daemon_state')
      .get();
    return found ?? undefined;
  }

  findAdoption(): AdoptionState {
    const json = this.#statements
      .pluck<[], string>(`SELECT value FROM daemon_state WHERE key = 'adoption'`)
      .get();
    const parsed = adoptionSchema.safeParse(JSON.parse(json ?? 'null'));
    return parsed.success ? parsed.data : { since: null, pending: [] };
  }

  /** At a start, before anything else is written: what is newer than this database may have been made with a later one. */
  beginAdoption(now: string): void {
    const { since, pending } = this.findAdoption();
    this.writeAdoption({ since: since ?? this.findLastTime() ?? '', pending }, now);
  }

  writeAdoption(state: AdoptionState, now: string): void {
    this.#set('adoption', state, now);
  }

  /** Names the session that the safety scan has read last; empty: a round begins. */
  findScanCursor(): string {
    const json = this.#statements
      .pluck<[], string>(`SELECT value FROM daemon_state WHERE key = 'safety-scan'`)
      .get();
    const cursor: unknown = json === undefined ? '' : JSON.parse(json);
    return typeof cursor === 'string' ? cursor : '';
  }

  writeScanCursor(sessionId: string, now: string): void {
    this.#set('safety-scan', sessionId, now);
  }

  /** When daemons of this home ended by a failure of their own; ISO-8601, the latest last. */
  listCrashes(): readonly string[] {
    const json = this.#statements
      .pluck<[], string>(`SELECT value FROM daemon_state WHERE key = 'crashes'`)
      .get();
    const parsed = crashTimesSchema.safeParse(JSON.parse(json ?? '[]'));
    return parsed.success ? parsed.data : [];
  }

  noteCrash(now: string): void {
    this.#set('crashes', [...this.listCrashes(), now].slice(-keptCrashes), now);
  }

  #set(key: string, value: unknown, now: string): void {
    this.#statements
      .prepare(
        `INSERT INTO daemon_state (key, value, updated_at) VALUES (?, ?, ?)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`,
      )
      .run(key, JSON.stringify(value), now);
  }
}

/** As DaemonStateStore.find, of a database of any version; undefined where it cannot be read right now. */
export function readDaemonState(centralDb: string): DaemonState | undefined {
  try {
    return withDatabase(centralDb, { mode: 'read', busyTimeoutMs: 100 }, (db) =>
      new DaemonStateStore(new StatementCache(db)).find(),
    );
  } catch {
    return undefined;
  }
}
