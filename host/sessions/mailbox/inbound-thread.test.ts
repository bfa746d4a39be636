import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bundleWorkers, type WorkerBundles } from '../../../test/fakes/worker-bundles.js';
import type { BerthError } from '../../../shared/base/errors.js';
import { readMigrations } from '../../../shared/base/sqlite/migrate.js';
import { openDatabase, withDatabase } from '../../../shared/base/sqlite/sqlite.js';
import type { NewInboundRow } from '../../../shared/protocol/mailbox/inbound-rows.js';
import { inboundDbPath } from '../../../shared/protocol/workspace.js';
import { InboundThread } from './inbound-thread.js';

const migrations = readMigrations('migrations/inbound');

function row(id: string): NewInboundRow {
  return {
    id,
    kind: 'chat',
    timestamp: '2026-01-31T12:00:00.000Z',
    status: 'pending',
    processAfter: null,
    recurrence: null,
    address: null,
    content: '{}',
  };
}

describe('the thread that uses inbound.db files', () => {
  let bundles: WorkerBundles;
  let folder: string;
  let path: string;
  let thread: InboundThread;
  let failures: BerthError[];
  let putRight: string[];

  beforeAll(async () => {
    bundles = await bundleWorkers();
  });

  afterAll(() => {
    bundles[Symbol.dispose]();
  });

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'berth-thread-'));
    path = inboundDbPath(join(folder, 's-1', 'in'));
    failures = [];
    putRight = [];
    thread = new InboundThread({
      script: bundles.inboundThread,
      settings: { migrations, maxOpen: 2, idleMs: 60_000 },
      onTook: () => undefined,
      onPutRight: ({ changes }) => {
        putRight.push(...changes);
      },
      onFatal: (error) => {
        failures.push(error);
      },
    });
    thread.start();
    await thread.call(path, 'create', [{ migrations, wasUsed: false }]);
  });

  afterEach(async () => {
    await thread.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Descriptors of this process on files of that name. */
  function openCount(name: string): number {
    return readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).endsWith(name);
      } catch {
        return false;
      }
    }).length;
  }

  it('tells what it has put right in a file that somebody changed', async () => {
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
      db.exec('CREATE INDEX by_kind ON messages_in (kind)');
    });
    await thread.call(path, 'listOpen', []);
    expect(putRight).toEqual(['foreign index "by_kind" dropped']);
  });

  it('answers in the order of the calls', async () => {
    const order: string[] = [];
    const append = (id: string): Promise<unknown> =>
      thread
        .call(path, 'append', [{ rows: [row(id)], outboundMaxSeq: 0 }])
        .then(() => order.push(id));
    await Promise.all([
      append('m-1'),
      thread.call(path, 'listOpen', []).then((open) => order.push(`${open.length} open`)),
      append('m-2'),
      thread.call(path, 'listOpen', []).then((open) => order.push(`${open.length} open`)),
    ]);
    expect(order).toEqual(['m-1', '1 open', 'm-2', '2 open']);
  });

  it('does not hold up the event loop while a file is locked or a disk is slow', async () => {
    const hold = openDatabase(path, { mode: 'write', busyTimeoutMs: 0 });
    hold.exec('BEGIN IMMEDIATE');
    await expect(
      thread.call(path, 'append', [{ rows: [row('m-1')], outboundMaxSeq: 0 }]),
    ).rejects.toMatchObject({ code: 'database_busy', facts: { path } });
    hold.exec('ROLLBACK');
    hold.close();
    await thread.call(path, 'append', [{ rows: [row('m-1')], outboundMaxSeq: 0 }]);
  });

  it('keeps a few files open, and gives one back when it is asked to', async () => {
    await thread.call(path, 'listOpen', []);
    expect(openCount('inbound.db')).toBe(1);
    for (const id of ['s-2', 's-3']) {
      const other = inboundDbPath(join(folder, id, 'in'));
      await thread.call(other, 'create', [{ migrations, wasUsed: false }]);
      await thread.call(other, 'listOpen', []);
    }
    expect(openCount('inbound.db')).toBe(2);
    await thread.release(inboundDbPath(join(folder, 's-3', 'in')));
    expect(openCount('inbound.db')).toBe(1);
  });

  it('does what was asked before it is stopped, and nothing after', async () => {
    const written = thread.call(path, 'append', [{ rows: [row('m-1')], outboundMaxSeq: 0 }]);
    await thread.stop();
    expect(await written).toEqual(['m-1']);
    await expect(thread.call(path, 'listOpen', [])).rejects.toMatchObject({ code: 'internal' });
    expect(failures).toEqual([]);
  });

  it('says of a failure what the caller needs to know', async () => {
    rmSync(path);
    await expect(thread.call(path, 'listOpen', [])).rejects.toMatchObject({
      code: 'database_missing',
      facts: { path },
    });
    await expect(
      thread.call(path, 'create', [{ migrations, wasUsed: true }]),
    ).rejects.toMatchObject({ code: 'database_missing' });
  });
});
