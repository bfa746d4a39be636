/** The four halves of the protocol together, on real files. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readMigrations } from '../../base/sqlite/migrate.js';
import { openDatabase, withDatabase } from '../../base/sqlite/sqlite.js';
import { settlementOf } from '../../../test/fakes/settle-rows.js';
import { InboundHandle } from './inbound-handle.js';
import { InboundReader } from './inbound-reader.js';
import { InboundWriter } from './inbound-writer.js';
import type { NewInboundRow } from './inbound-rows.js';
import { OutboundReader } from './outbound-reader.js';
import { OutboundWriter, type Attempt, type NewOutboundRow } from './outbound-writer.js';
import type { Address, Destination } from '../session-message.js';

const now = '2026-01-01T00:00:00.000Z';
const nowMs = Date.parse(now);
const home: Address = { channelType: 'test', platformId: 'home', threadId: null };

function inRow(id: string, more: Partial<NewInboundRow> = {}): NewInboundRow {
  return {
    id,
    kind: 'task',
    timestamp: now,
    status: 'pending',
    processAfter: null,
    recurrence: null,
    address: home,
    content: JSON.stringify({ text: id }),
    ...more,
  };
}

function outRow(id: string): NewOutboundRow {
  const content = JSON.stringify({ text: id });
  return { id, inReplyTo: null, deliverAfter: null, kind: 'chat', address: home, content };
}

function destination(name: string, platformId = name): Destination {
  const nobody = { displayName: null, agentGroupId: null };
  return { name, type: 'channel', channelType: 'test', platformId, ...nobody };
}

describe('a mailbox', () => {
  let folder: string;
  let inboundPath: string;
  let outboundPath: string;
  let inboundWriter: InboundWriter;
  let inboundReader: InboundReader;
  let outboundWriter: OutboundWriter;
  let outboundReader: OutboundReader;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-mailbox-'));
    inboundPath = join(folder, 'inbound.db');
    outboundPath = join(folder, 'outbound.db');
    const inboundFile = new InboundHandle(inboundPath);
    inboundWriter = new InboundWriter(inboundFile);
    inboundReader = new InboundReader(inboundPath);
    outboundWriter = new OutboundWriter(outboundPath);
    outboundReader = new OutboundReader(outboundPath);
    inboundFile.create(readMigrations('migrations/inbound'));
    outboundWriter.create(readMigrations('migrations/outbound'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function append(...rows: NewInboundRow[]): readonly string[] {
    return inboundWriter.append({ rows, outboundMaxSeq: outboundReader.maxSeq() });
  }

  function reply(...ids: string[]): void {
    const inboundMaxSeq = inboundReader.read((inbound) => inbound.maxSeq());
    outboundWriter.commit({ rows: ids.map(outRow), acks: [], inboundMaxSeq, nowMs });
  }

  function pendingIds(at = now): string[] {
    return inboundReader.read((inbound) => [...inbound.pending(at)].map(({ id }) => id));
  }

  /** Claims those of the given attempts that are open. */
  function claim(...attempts: Attempt[]): string[] {
    return outboundWriter
      .claim((isOpen) => ({ messages: attempts.filter(isOpen) }), nowMs)
      .messages.map(({ id }) => id);
  }

  function fail(id: string, tries: number, reason = 'no'): void {
    const acks = [{ status: 'failed', id, tries, reason } as const];
    outboundWriter.commit({ rows: [], acks, inboundMaxSeq: 0, nowMs });
  }

  function complete(id: string): void {
    const acks = [{ status: 'completed', id } as const];
    outboundWriter.commit({ rows: [], acks, inboundMaxSeq: 0, nowMs });
  }

  describe('reads as one conversation', () => {
    it('by seqs that are even for the host, odd for the runner, and always grow', () => {
      append(inRow('m-1'), inRow('m-2'));
      reply('o-1', 'o-2');
      append(inRow('m-3'));
      reply('o-3');
      const seqs = inboundReader.read((inbound) => [...inbound.pending(now)]);
      expect(seqs.map(({ id, seq }) => [id, seq])).toEqual([
        ['m-1', 2],
        ['m-2', 4],
        ['m-3', 8],
      ]);
      expect(outboundReader.listAfter(0, 10).map(({ id, seq }) => [id, seq])).toEqual([
        ['o-1', 5],
        ['o-2', 7],
        ['o-3', 9],
      ]);
    });

    it('and is read on from any seq, a page at a time', () => {
      reply('o-1', 'o-2', 'o-3');
      expect(outboundReader.listAfter(1, 1).map(({ id }) => id)).toEqual(['o-2']);
      expect(outboundReader.maxSeq()).toBe(5);
    });
  });

  describe('keeps context', () => {
    const chatter = (from: number, to: number): NewInboundRow[] =>
      Array.from({ length: to - from }, (_, index) =>
        inRow(`c-${from + index}`, { status: 'context' }),
      );
    const keptBelow = (seq: number): string[] =>
      inboundReader.read((inbound) => inbound.listContextBelow(seq, now)).map(({ id }) => id);

    it('as much as a turn reads, however much is said, and takes the rest back as unread', () => {
      for (let from = 0; from < 1_000; from += 50) append(...chatter(from, from + 50));
      expect(keptBelow(Infinity)).toEqual(chatter(800, 1_000).map(({ id }) => id));
      expect(inboundWriter.findStatus('c-799')).toBe('cancelled');
      expect(inboundWriter.hasHistory()).toBe(false);
    });

    it('all of it that came before a message that waits, and no more of what came after', () => {
      append(...chatter(0, 200), inRow('m-1'), ...chatter(200, 700));
      append(...chatter(700, 1_000));
      const waiting = inboundReader.read((inbound) => [...inbound.pending(now)]);
      expect(keptBelow(waiting[0]!.seq)).toEqual(chatter(0, 200).map(({ id }) => id));
      expect(keptBelow(Infinity)).toHaveLength(400);
    });

    it('that grew too much in an older file, a piece with each message', () => {
      withDatabase(inboundPath, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
        db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
          INSERT INTO messages_in (id, seq, kind, timestamp, status, content)
          SELECT 'old-' || i, 2 * i, 'task', '${now}', 'context', '{"text":"x"}' FROM n`);
      });
      for (let from = 0; from < 900; from += 1) append(...chatter(from, from + 1));
      expect(keptBelow(Infinity)).toHaveLength(200);
    });
  });

  describe('takes a message', () => {
    it('once under one id, and leaves the first as it was', () => {
      expect(append(inRow('m-1'), inRow('m-1', { content: '{"text":"other"}' }))).toEqual(['m-1']);
      expect(append(inRow('m-1', { content: '{}' }), inRow('m-2'))).toEqual(['m-2']);
      const [loaded] = inboundReader.read((inbound) => inbound.load(['m-1']));
      expect(loaded).toMatchObject({
        kind: 'message',
        message: { seq: 2, content: { kind: 'task', task: { text: 'm-1' } } },
      });
    });

    it('and hands it out when its time has come', () => {
      const later = '2026-01-01T00:01:00.000Z';
      append(
        inRow('m-1', { processAfter: later }),
        inRow('m-2'),
        inRow('c-1', { status: 'context', processAfter: '2026-01-01T00:00:30.000Z' }),
      );
      expect(pendingIds()).toEqual(['m-2']);
      expect(pendingIds(later)).toEqual(['m-1', 'm-2']);
      inboundReader.read((inbound) => {
        expect(inbound.findNextDueAt(now)).toBe(later);
        expect(inbound.findNextDueAt(later)).toBeUndefined();
      });
    });

    it('and settles it as the runner acked it', () => {
      append(inRow('m-1'), inRow('m-2'), inRow('m-3'));
      const processAfter = '2026-01-01T00:00:05.000Z';
      inboundWriter.settle(
        settlementOf(inboundWriter.listOpen(), [
          { id: 'm-1', status: 'completed' },
          { id: 'm-2', status: 'failed' },
          { id: 'm-3', status: 'retry', processAfter },
        ]),
      );
      expect(inboundWriter.listOpen()).toMatchObject([{ id: 'm-3', tries: 1, processAfter }]);
    });

    it('and says of a damaged one why it cannot be read, without losing the others', () => {
      append(inRow('m-1', { content: 'not json' }), inRow('m-2', { content: '{}' }), inRow('m-3'));
      const loaded = inboundReader.read((inbound) => inbound.load(['m-3', 'm-2', 'm-1']));
      expect(loaded).toMatchObject([
        { kind: 'unreadable', id: 'm-1', error: { code: 'content_invalid' } },
        { kind: 'unreadable', id: 'm-2', error: { code: 'content_invalid' } },
        { kind: 'message', message: { id: 'm-3' } },
      ]);
    });
  });

  describe('projects where the agent may send to', () => {
    it('by replacing what was there', () => {
      inboundWriter.project({ destinations: [destination('a'), destination('b')], routing: home });
      inboundWriter.project({ destinations: [destination('b', 'moved'), destination('c')] });
      inboundReader.read((inbound) => {
        expect(inbound.listDestinations()).toEqual([destination('b', 'moved'), destination('c')]);
        expect(inbound.findRouting()).toEqual(home);
      });
    });

    it('and does not touch the file when nothing differs', () => {
      const destinations = [destination('a'), destination('b')];
      inboundWriter.project({ destinations, routing: home });
      const before = readFileSync(inboundPath);
      inboundWriter.project({ destinations, routing: home });
      expect(readFileSync(inboundPath).equals(before)).toBe(true);
    });

    it('and knows no chat before it was told one', () => {
      expect(inboundReader.read((inbound) => inbound.findRouting())).toBeUndefined();
    });
  });

  describe('notes deliveries', () => {
    it('from sending to their end, or as not begun', () => {
      const record = (messageOutId: string, status: 'sending' | 'delivered', id: string | null) =>
        ({ messageOutId, status, platformMessageId: id }) as const;
      inboundWriter.recordDeliveries(
        [record('o-1', 'sending', null), record('o-2', 'sending', null)],
        [],
        nowMs,
      );
      inboundWriter.recordDeliveries([record('o-1', 'delivered', 'p-1')], ['o-2'], nowMs);
      const found = inboundWriter.findDeliveries(['o-1', 'o-2', 'o-3']);
      expect([...found]).toEqual([['o-1', { status: 'delivered', platformMessageId: 'p-1' }]]);
    });
  });

  describe('claims a message', () => {
    it('once, until it is released', () => {
      const attempt = { id: 'm-1', tries: 0 };
      expect(claim(attempt)).toEqual(['m-1']);
      expect(claim(attempt)).toEqual([]);
      outboundWriter.release(['m-1']);
      expect(claim(attempt)).toEqual(['m-1']);
      expect(outboundWriter.clearStaleClaims()).toBe(1);
      expect(claim(attempt)).toEqual(['m-1']);
    });

    it('never again when it is completed, and releases nothing that has ended', () => {
      complete('m-1');
      outboundWriter.release(['m-1']);
      expect(outboundWriter.clearStaleClaims()).toBe(0);
      expect(claim({ id: 'm-1', tries: 5 })).toEqual([]);
    });

    it('again for a further try when it has failed', () => {
      fail('m-1', 0);
      expect(claim({ id: 'm-1', tries: 0 })).toEqual([]);
      expect(claim({ id: 'm-1', tries: 1 })).toEqual(['m-1']);
      expect(outboundReader.findAcks(['m-1']).get('m-1')).toMatchObject({
        status: 'processing',
        tries: 1,
      });
      fail('m-1', 1);
      expect(claim({ id: 'm-1', tries: 1 })).toEqual([]);
    });

    it('and tells the host why it failed, at no great length, until it completes', () => {
      fail('m-1', 2, 'y'.repeat(10_000));
      const failed = outboundReader.findAcks(['m-1', 'm-2']).get('m-1');
      expect(failed).toEqual({
        status: 'failed',
        tries: 2,
        statusChanged: now,
        reason: `${'y'.repeat(499)}…`,
      });
      complete('m-1');
      expect(outboundReader.findAcks(['m-1']).get('m-1')).toMatchObject({ tries: 0, reason: null });
    });

    it('without writing when there is none', () => {
      const before = readFileSync(outboundPath);
      expect(claim()).toEqual([]);
      expect(readFileSync(outboundPath).equals(before)).toBe(true);
    });

    it('not at all when choosing fails', () => {
      const choose = (): never => {
        throw new Error('cannot read');
      };
      expect(() => outboundWriter.claim(choose, nowMs)).toThrow('cannot read');
      expect(claim({ id: 'm-1', tries: 0 })).toEqual(['m-1']);
    });
  });

  it('holds a commit that was made twice once', () => {
    const acks = [{ status: 'completed', id: 'm-1' } as const];
    const commit = { rows: [outRow('o-1'), outRow('o-2')], acks, inboundMaxSeq: 10, nowMs };
    outboundWriter.commit(commit);
    outboundWriter.commit(commit);
    expect(outboundReader.listAfter(0, 10).map(({ seq }) => seq)).toEqual([11, 13]);
  });

  it('is not waited for by either reader while somebody writes', () => {
    const startedAt = performance.now();
    for (const [path, read] of [
      [inboundPath, () => inboundReader.read((inbound) => inbound.maxSeq())],
      [outboundPath, () => outboundReader.maxSeq()],
      [inboundPath, () => append(inRow('m-1'))],
    ] as const) {
      const writer = openDatabase(path, { mode: 'write', busyTimeoutMs: 0 });
      writer.exec('BEGIN EXCLUSIVE');
      expect(read).toThrow(expect.objectContaining({ code: 'database_busy' }));
      writer.close();
    }
    expect(performance.now() - startedAt).toBeLessThan(500);
  });
});
