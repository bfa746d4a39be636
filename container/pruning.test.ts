import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isoAt, systemClock } from '../shared/base/clock.js';
import { newId } from '../shared/base/ids.js';
import { silentLogger } from '../shared/base/logger.js';
import { withDatabase } from '../shared/base/sqlite/sqlite.js';
import { InboundReader } from '../shared/protocol/mailbox/inbound-reader.js';
import { OutboundPruner } from '../shared/protocol/mailbox/outbound-pruner.js';
import { OutboundWriter } from '../shared/protocol/mailbox/outbound-writer.js';
import type { PruneOrder } from '../shared/protocol/prune-order.js';
import { inboundDbPath, outboundDbPath, pruneOrderPath } from '../shared/protocol/workspace.js';
import { FakeClock } from '../test/fakes/fake-clock.js';
import { chatRow, FakeHost, outboundMigrations } from '../test/fakes/fake-host.js';
import { until } from '../test/fakes/waiting.js';
import { EchoProvider } from './providers/echo-provider.js';
import { Pruning, type PruningDeps } from './pruning.js';
import { Runner } from './runner.js';

const dayMs = 86_400_000;
const slice = 200;

describe('pruning outbound.db', () => {
  let host: FakeHost;
  const clock = new FakeClock();
  const prunings: Pruning[] = [];

  beforeEach(async () => {
    host = new FakeHost();
    await host.create();
    new OutboundWriter(outboundDbPath(host.workspace.outDir)).create(outboundMigrations);
  });

  afterEach(() => {
    for (const pruning of prunings.splice(0)) pruning.stop();
    host.remove();
  });

  function newPruning(deps: Partial<PruningDeps> = {}): Pruning {
    const pruning = new Pruning({
      inbound: new InboundReader(inboundDbPath(host.workspace.inDir)),
      outbound: new OutboundPruner(outboundDbPath(host.workspace.outDir)),
      findOrder: () => ({ before: isoAt(clock.now() - 365 * dayMs), keptMessageIds: [] }),
      clock,
      quietMs: -1,
      pauseMs: -1,
      nudge: () => undefined,
      log: silentLogger,
      ...deps,
    });
    prunings.push(pruning);
    return pruning;
  }

  /** Messages that were sent long ago. */
  async function writeSent(
    count: number,
    sentAt = isoAt(clock.now() - 400 * dayMs),
  ): Promise<void> {
    const ids = Array.from({ length: count }, (_, index) => `o-${index}`);
    withDatabase(
      outboundDbPath(host.workspace.outDir),
      { mode: 'write', busyTimeoutMs: 0 },
      (db) => {
        const insert = db.prepare(
          `INSERT INTO messages_out (id, seq, timestamp, kind, content) VALUES (?, ?, ?, 'chat', '{"text":"x"}')`,
        );
        db.transaction(() => {
          for (const [index, id] of ids.entries()) insert.run(id, 2 * index + 1, sentAt);
        })();
      },
    );
    await host.write((inbound) => {
      const records = ids.map((messageOutId) => ({
        ...{ messageOutId, status: 'delivered' as const, platformMessageId: null },
      }));
      inbound.recordDeliveries(records, [], Date.parse(sentAt));
    });
  }

  function countOut(): number {
    return withDatabase(
      outboundDbPath(host.workspace.outDir),
      { mode: 'read', busyTimeoutMs: 1_000 },
      (db) => Number(db.prepare('SELECT count(*) FROM messages_out').pluck().get()),
    );
  }

  it('takes one slice at a time', async () => {
    await writeSent(2 * slice + 1);
    const pruning = newPruning();
    pruning.rest();
    expect(countOut()).toBe(slice + 1);
    pruning.rest();
    expect(countOut()).toBe(1);
  });

  it('waits until nobody has waited for a while, and asks to be called then', async () => {
    await writeSent(2);
    let pruning: Pruning | undefined = undefined;
    pruning = newPruning({ quietMs: 30, nudge: () => pruning?.rest() });
    pruning.rest();
    pruning.postpone();
    pruning.rest();
    expect(countOut()).toBe(2);
    await until(() => {
      expect(countOut()).toBe(1);
    });
  });

  it('goes through a large file once a day, whoever runs', async () => {
    await writeSent(2 * slice);
    let pruning = newPruning();
    for (let rest = 0; rest < 10; rest += 1) pruning.rest();
    expect(countOut()).toBe(1);
    await writeMore();
    pruning = newPruning();
    for (let rest = 0; rest < 10; rest += 1) pruning.rest();
    expect(countOut()).toBe(3);
    clock.advance(dayMs);
    for (let rest = 0; rest < 10; rest += 1) pruning.rest();
    expect(countOut()).toBe(1);
  });

  async function writeMore(): Promise<void> {
    const old = isoAt(clock.now() - 400 * dayMs);
    const ids = ['o-a', 'o-b'];
    withDatabase(
      outboundDbPath(host.workspace.outDir),
      { mode: 'write', busyTimeoutMs: 0 },
      (db) => {
        for (const [index, id] of ids.entries()) {
          db.prepare(
            `INSERT INTO messages_out (id, seq, timestamp, kind, content) VALUES (?, ?, ?, 'chat', '')`,
          ).run(id, 10_001 + 2 * index, old);
        }
      },
    );
    await host.write((inbound) => {
      const record = { status: 'delivered', platformMessageId: null } as const;
      const records = ids.map((messageOutId) => ({ ...record, messageOutId }));
      inbound.recordDeliveries(records, [], Date.parse(old));
    });
  }

  it('copes with an inbound.db that is gone', async () => {
    await writeSent(3);
    const inbound = new InboundReader(`${host.workspace.inDir}/nowhere/inbound.db`);
    newPruning({ inbound }).rest();
    expect(countOut()).toBe(3);
  });

  it('is done by a runner that has nothing to do, and leaves what it is at alone', async () => {
    await writeSent(50, isoAt(Date.now() - 400 * dayMs));
    const order: PruneOrder = {
      before: isoAt(Date.now() - 365 * dayMs),
      keptMessageIds: ['o-7'],
    };
    writeFileSync(pruneOrderPath(host.workspace.inDir), JSON.stringify(order));
    const runner = new Runner({
      workspace: host.workspace,
      config: {
        batchSize: 5,
        pollIntervalMs: 30_000,
        heartbeatIntervalMs: 10,
      },
      migrations: outboundMigrations,
      provider: new EchoProvider({
        heartbeatIntervalMs: 10,
        exit: () => undefined as never,
        clock: systemClock,
        prefix: 'echo: ',
      }),
      clock: { now: () => Date.now() },
      newId,
      log: silentLogger,
      writePatienceMs: 5_000,
      pruneQuietMs: 20,
      onFatal: (error) => {
        throw error;
      },
    });
    runner.start();
    try {
      await host.post(chatRow('m-1', 'hello'));
      await until(async () => {
        expect(await host.findStatus('m-1')).toBe('completed');
        expect(countOut()).toBe(2);
      });
      expect(await host.listTexts()).toEqual(['x', 'echo: hello']);
    } finally {
      await runner.stop(1_000);
    }
  });
});
