import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errnoOf, toBerthError } from '../../../../shared/base/errors.js';
import type { Logger } from '../../../../shared/base/logger.js';

const recordSchema = z.object({
  containerId: z.string(),
  name: z.string(),
  owner: z.object({ installId: z.string(), sessionId: z.string(), agentGroupId: z.string() }),
  /** Also the id of its process group. */
  pid: z.number().int().min(2),
  /** See findProcessStart; null until it was found out. */
  processStart: z.string().nullable(),
  startedAtMs: z.number(),
  logPath: z.string(),
  /** See fingerprint.ts; null in records of an earlier version. */
  fingerprint: z.string().nullable().default(null),
  /** Set when it has ended; the code is null when nobody saw it end. */
  exit: z.object({ code: z.number().int().nullable() }).nullable(),
});

/** The record of one process, kept in a file so that it outlives the daemon. */
export type ProcessRecord = z.infer<typeof recordSchema>;

export interface ProcessRecordsDeps {
  readonly folder: string;
  readonly log: Logger;
}

/** Keeps one JSON file per process. */
export class ProcessRecords {
  readonly #deps: ProcessRecordsDeps;

  constructor(deps: ProcessRecordsDeps) {
    this.#deps = deps;
  }

  async list(): Promise<readonly ProcessRecord[]> {
    const { folder } = this.#deps;
    const names = await readdir(folder).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    });
    const ids = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5));
    const records = await Promise.all(ids.map((id) => this.find(id)));
    return records.filter((record) => record !== undefined);
  }

  async find(containerId: string): Promise<ProcessRecord | undefined> {
    const path = this.#path(containerId);
    if (path === undefined) return undefined;
    try {
      return recordSchema.parse(JSON.parse(await readFile(path, 'utf8')));
    } catch (err) {
      // A record that cannot be read for a moment is not gone: its process would be started twice.
      const failure = toBerthError(err);
      if (failure.code === 'resources_short') throw failure;
      if (errnoOf(err) !== 'ENOENT')
        this.#deps.log.warn({ err, path }, 'process record unreadable');
      return undefined;
    }
  }

  /** At once, not soon: between a spawn and its record nothing may come, or the process is lost with the daemon. */
  save(record: ProcessRecord): void {
    const path = this.#path(record.containerId);
    if (path === undefined) return;
    mkdirSync(this.#deps.folder, { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.new`, JSON.stringify(record, null, 2), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  async delete(containerId: string): Promise<void> {
    const path = this.#path(containerId);
    if (path !== undefined) await rm(path, { force: true });
  }

  #path(containerId: string): string | undefined {
    return /^[\w-]+$/.test(containerId)
      ? join(this.#deps.folder, `${containerId}.json`)
      : undefined;
  }
}
