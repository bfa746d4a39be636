/** outbound.db as a hostile container may leave it. */
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readMigrations } from '../../base/sqlite/migrate.js';
import { withDatabase } from '../../base/sqlite/sqlite.js';
import { maxContentBytes } from '../limits.js';
import { OutboundReader } from './outbound-reader.js';
import { OutboundWriter } from './outbound-writer.js';

describe.each([
  ['that is opened for each read', false],
  ['that stays open', true],
])('reading an outbound.db %s', (_name, isKept) => {
  let folder: string;
  let path: string;
  let reader: OutboundReader;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-outbound-'));
    path = join(folder, 'outbound.db');
    reader = new OutboundReader(path, { isKept });
  });

  afterEach(() => {
    reader.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function create(): void {
    new OutboundWriter(path).create(readMigrations('migrations/outbound'));
    // When it stays open, what is done to it afterwards meets an open file.
    expect(reader.maxSeq()).toBe(0);
  }

  function tamper(...statements: string[]): void {
    withDatabase(path, { mode: 'create', busyTimeoutMs: 0 }, (db) => {
      for (const statement of statements) db.exec(statement);
    });
  }

  function insert(row: Record<string, unknown>): void {
    const whole = { id: 'o-1', seq: 1, timestamp: 'now', kind: 'chat', content: '{}', ...row };
    withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
      const names = Object.keys(whole);
      const values = names.map((name) => `@${name}`).join(', ');
      db.prepare(`INSERT INTO messages_out (${names.join(', ')}) VALUES (${values})`).run(whole);
    });
  }

  function expectRefused(code: string): void {
    for (const read of [
      () => reader.maxSeq(),
      () => reader.listAfter(0, 10),
      () => reader.findAcks(['m-1']),
    ]) {
      expect(read).toThrow(expect.objectContaining({ code }));
    }
  }

  it('finds nothing where the runner has written nothing yet', () => {
    expect(reader.maxSeq()).toBe(0);
    tamper('CREATE TABLE something (id)');
    expect(reader.listAfter(0, 10)).toEqual([]);
    expect(reader.findAcks(['m-1']).size).toBe(0);
  });

  it('refuses a link, wherever it leads', () => {
    create();
    renameSync(path, join(folder, 'real.db'));
    symlinkSync(join(folder, 'real.db'), path);
    expectRefused('database_unreadable');
  });

  it('refuses what is no database', () => {
    writeFileSync(path, 'x'.repeat(5_000));
    expectRefused('database_corrupt');
  });

  it.each([
    [
      'a view in the place of messages_out',
      [
        'DROP TABLE messages_out',
        `CREATE VIEW messages_out AS WITH RECURSIVE n(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n)
         SELECT seq AS id, seq, NULL AS in_reply_to, '' AS timestamp, NULL AS deliver_after, '' AS kind,
                NULL AS channel_type, NULL AS platform_id, NULL AS thread_id, '' AS content FROM n`,
      ],
    ],
    [
      'a view under a name in other letters',
      ['DROP TABLE processing_ack', 'CREATE VIEW Processing_Ack AS SELECT 1 AS message_id'],
    ],
    [
      'a computed column',
      [
        'DROP TABLE session_state',
        `CREATE TABLE session_state (key TEXT PRIMARY KEY, n INTEGER,
           value TEXT GENERATED ALWAYS AS (hex(zeroblob(n))) VIRTUAL, updated_at TEXT)`,
      ],
    ],
    [
      'a virtual table',
      [
        'DROP TABLE session_state',
        'CREATE VIRTUAL TABLE session_state USING fts5(key, value, updated_at)',
      ],
    ],
  ])('refuses %s', (_title, statements) => {
    create();
    tamper(...statements);
    expectRefused('database_corrupt');
  });

  it('reads no content that is too long', () => {
    create();
    insert({ content: 'x'.repeat(maxContentBytes) });
    insert({ id: 'o-2', seq: 3, content: 'é'.repeat(maxContentBytes / 2) });
    insert({ id: 'o-3', seq: 5, content: 'é'.repeat(maxContentBytes / 2 + 1) });
    const lengths = ['o-1', 'o-2', 'o-3'].map((id) => reader.find(id)?.content?.length ?? null);
    expect(lengths).toEqual([maxContentBytes, maxContentBytes / 2, null]);
    expect(reader.listAfter(0, 10).map(({ id }) => id)).toEqual(['o-1']);
    expect(reader.listAfter(1, 10).map(({ id }) => id)).toEqual(['o-2', 'o-3']);
  });

  it('reads no other column that is too long, and every column as text', () => {
    create();
    const huge = 'x'.repeat(5_000);
    insert({ kind: huge, timestamp: huge, in_reply_to: huge, platform_id: huge, thread_id: huge });
    insert({ id: 'o-2', seq: 3, kind: 2.5, content: Buffer.from('{}'), channel_type: 1.5 });
    expect(reader.listAfter(0, 10)).toMatchObject([
      { id: 'o-1', kind: '', timestamp: '', inReplyTo: null, platformId: null, threadId: null },
      { id: 'o-2', kind: '2.5', content: '{}', channelType: '1.5' },
    ]);
  });

  it('leaves out rows that cannot be named', () => {
    create();
    insert({ id: null });
    insert({ id: 'x'.repeat(5_000), seq: 3 });
    insert({ id: Buffer.from('o-2'), seq: 5 });
    insert({ id: 'o-3', seq: 7 });
    expect(reader.listAfter(0, 10).map(({ id }) => id)).toEqual(['o-3']);
  });

  it.each([2 ** 50 + 1, 1e300, 'ninth'])(
    'is of no use where a row took the number %s, after which none is left',
    (seq) => {
      create();
      insert({ seq });
      expect(() => reader.listAfter(0, 10)).toThrow(
        expect.objectContaining({ code: 'database_unreadable' }) as Error,
      );
    },
  );

  it('takes acks and reasons for what they are', () => {
    create();
    tamper(
      `INSERT INTO processing_ack VALUES ('m-1', 'finished', 'now')`,
      `INSERT INTO processing_ack VALUES ('m-2', 'failed', zeroblob(9000))`,
      `INSERT INTO session_state VALUES ('failure:m-2', hex(zeroblob(9000)), 'now')`,
      `INSERT INTO session_state VALUES ('tries:m-2', 'many', 'now')`,
      `INSERT INTO processing_ack VALUES ('m-3', 'failed', 'now')`,
      `INSERT INTO session_state VALUES ('failure:m-3', x'6e6f', 'now')`,
      `INSERT INTO session_state VALUES ('tries:m-3', 3, 'now')`,
    );
    expect([...reader.findAcks(['m-1', 'm-2', 'm-3', 'm-4'])]).toEqual([
      ['m-2', { status: 'failed', tries: 0, statusChanged: '', reason: null }],
      ['m-3', { status: 'failed', tries: 3, statusChanged: 'now', reason: 'no' }],
    ]);
  });
});
