import { renameSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, type Db } from '../shared/base/sqlite/sqlite.js';
import { systemClock } from '../shared/base/clock.js';
import { silentLogger } from '../shared/base/logger.js';
import { InboundReader } from '../shared/protocol/mailbox/inbound-reader.js';
import { OutboundWriter } from '../shared/protocol/mailbox/outbound-writer.js';
import { inboundDbPath, outboundDbPath } from '../shared/protocol/workspace.js';
import { chatRow, FakeHost, outboundMigrations } from '../test/fakes/fake-host.js';
import { Intake } from './intake.js';

describe('the intake', () => {
  let host: FakeHost;
  let intake: Intake;
  let outbound: OutboundWriter;

  beforeEach(async () => {
    host = new FakeHost();
    await host.create();
    outbound = new OutboundWriter(outboundDbPath(host.workspace.outDir));
    outbound.create(outboundMigrations);
    intake = new Intake({
      inbound: new InboundReader(inboundDbPath(host.workspace.inDir)),
      outbound,
      batchSize: 2,
      clock: systemClock,
      log: silentLogger,
    });
  });

  afterEach(() => {
    host.remove();
  });

  function takenIds(): readonly string[] | undefined {
    const taken = intake.take();
    return taken.kind === 'batch' ? taken.batch.messages.map(({ id }) => id) : undefined;
  }

  it('need not open outbound.db for messages that it has claimed itself', async () => {
    await host.post(chatRow('m-1', 'one'), chatRow('m-2', 'two'));
    expect(takenIds()).toEqual(['m-1', 'm-2']);
    const path = outboundDbPath(host.workspace.outDir);
    renameSync(path, `${path}-away`);
    expect(takenIds()).toBeUndefined();
    renameSync(`${path}-away`, path);
    await host.post(chatRow('m-3', 'three'));
    expect(takenIds()).toEqual(['m-3']);
  });

  it('runs what it has claimed where the host commits at that moment', async () => {
    await host.post(chatRow('m-1', 'one'));
    let committing: Db | undefined;
    /** From the end of the claim on, the host holds the lock of inbound.db. */
    class Overtaken extends OutboundWriter {
      override claim: OutboundWriter['claim'] = (choose, nowMs) => {
        const claimed = super.claim(choose, nowMs);
        const path = inboundDbPath(host.workspace.inDir);
        committing = openDatabase(path, { mode: 'write', busyTimeoutMs: 0 });
        committing.exec('BEGIN EXCLUSIVE');
        return claimed;
      };
    }
    intake = new Intake({
      inbound: new InboundReader(inboundDbPath(host.workspace.inDir)),
      outbound: new Overtaken(outboundDbPath(host.workspace.outDir)),
      batchSize: 2,
      clock: systemClock,
      log: silentLogger,
    });
    expect(takenIds()).toEqual(['m-1']);
    committing?.close();
  });

  it('takes what it has given back, and a newer try of what has failed', async () => {
    await host.post(chatRow('m-1', 'one'));
    expect(takenIds()).toEqual(['m-1']);
    outbound.release(['m-1']);
    intake.forget(['m-1']);
    expect(takenIds()).toEqual(['m-1']);
    outbound.commit({
      rows: [],
      acks: [{ status: 'failed', id: 'm-1', tries: 0, reason: 'no' }],
      inboundMaxSeq: 0,
      nowMs: 0,
    });
    expect(takenIds()).toBeUndefined();
    await host.retry('m-1');
    expect(takenIds()).toEqual(['m-1']);
  });

  it('says whether more is due at once, and when something will be', async () => {
    const later = '2100-01-01T00:00:00.000Z';
    const rows = ['m-1', 'm-2', 'm-3'].map((id) => chatRow(id, id));
    await host.post(...rows, chatRow('m-4', 'four', { processAfter: later }));
    expect(intake.take().rest).toEqual({ isDue: true, nextDueAt: later });
    expect(intake.take().rest).toEqual({ isDue: false, nextDueAt: later });
    expect(intake.take()).toEqual({ kind: 'nothing', rest: { isDue: false, nextDueAt: later } });
  });
});
