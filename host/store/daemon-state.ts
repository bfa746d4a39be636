import { z } from 'zod';
import { withDatabase, type Db } from '../../shared/base/sqlite.js';

/** What the daemon says about itself; the command line reads it. */
export const daemonStateSchema = z.object({
  phase: z.enum(['starting', 'ready', 'stopping']),
  pid: z.number(),
  version: z.string(),
  startedAt: z.string(),
  runtime: z.string().nullable(),
  /** A sentence where there is something to say: an image being built, an engine that does not answer. */
  activity: z.string().nullable(),
  problem: z.string().nullable(),
  channels: z.record(z.string(), z.string()),
});

export type DaemonState = z.infer<typeof daemonStateSchema>;

export class DaemonStateStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  /** What the last daemon said; whether it lives is for the lock to tell. */
  find(): DaemonState | undefined {
    const json = this.#db
      .prepare<[], string>(`SELECT value FROM daemon_state WHERE key = 'daemon'`)
      .pluck()
      .get();
    if (json === undefined) return undefined;
    const parsed = daemonStateSchema.safeParse(JSON.parse(json));
    return parsed.success ? parsed.data : undefined;
  }

  write(state: DaemonState, now: string): void {
    this.#db
      .prepare(
        `INSERT INTO daemon_state (key, value, updated_at) VALUES ('daemon', ?, ?)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`,
      )
      .run(JSON.stringify(state), now);
  }
}

/** As DaemonStateStore.find, of a database of any version; undefined where it cannot be read right now. */
export function readDaemonState(centralDb: string): DaemonState | undefined {
  try {
    return withDatabase(centralDb, { mode: 'read', busyTimeoutMs: 100 }, (db) =>
      new DaemonStateStore(db).find(),
    );
  } catch {
    return undefined;
  }
}
