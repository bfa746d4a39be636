/** The second truth: what the databases of all sessions say, read as a person with sqlite3 would. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { hasCode } from '../../shared/base/errors.js';
import { withDatabase } from '../../shared/base/sqlite/sqlite.js';
import type { BerthHome } from '../fakes/berth-home.js';
import { until } from '../fakes/waiting.js';
import type { Ledger } from './ledger.js';

/** A messages_in row, and what was said and sent in reply. */
interface AuditedMessage {
  readonly status: string;
  readonly tries: number;
  readonly replies: number;
  readonly delivered: number;
}

/** By message id: every row that any session has for it. */
export type Audit = ReadonlyMap<string, readonly AuditedMessage[]>;

export function auditSessions(home: BerthHome): Audit {
  const audit = new Map<string, AuditedMessage[]>();
  const sessions = join(home.home, 'data', 'sessions');
  for (const sessionId of existsSync(sessions) ? readdirSync(sessions) : []) {
    const folder = join(sessions, sessionId);
    const inbound = join(folder, 'in', 'inbound.db');
    const outbound = join(folder, 'out', 'outbound.db');
    if (!existsSync(inbound) || !existsSync(outbound)) continue;
    for (const { id, ...row } of listMessages(inbound, outbound)) {
      audit.set(id, [...(audit.get(id) ?? []), row]);
    }
  }
  return audit;
}

/** None where a file is damaged: what counts is in another session then. */
function listMessages(
  inbound: string,
  outbound: string,
): readonly (AuditedMessage & { id: string })[] {
  try {
    return withDatabase(inbound, { mode: 'write', busyTimeoutMs: 5_000 }, (db) => {
      db.prepare('ATTACH ? AS o').run(outbound);
      return db
        .prepare<[], AuditedMessage & { id: string }>(
          `SELECT m.id, m.status, m.tries, count(r.id) AS replies,
                  count(r.id) FILTER (WHERE d.status = 'delivered') AS delivered
           FROM messages_in m
           LEFT JOIN o.messages_out r ON r.in_reply_to = m.id
           LEFT JOIN delivered d ON d.message_out_id = r.id
           GROUP BY m.id`,
        )
        .all();
    });
  } catch (error) {
    if (hasCode(error, 'database_corrupt')) return [];
    throw error;
  }
}

/** Every answered message is on disk once, and has exactly one reply, delivered. */
function expectOneReplyEach(home: BerthHome, ledger: Ledger): void {
  const audit = auditSessions(home);
  const wrong = ledger.entries.flatMap((entry) => {
    if (entry.messageId === undefined || entry.answeredAt === undefined) return [];
    const rows = audit.get(entry.messageId) ?? [];
    const [row] = rows;
    const isRight = rows.length === 1 && row?.replies === 1 && row.delivered === 1;
    return isRight ? [] : [{ id: entry.id, messageId: entry.messageId, rows }];
  });
  expect(wrong).toEqual([]);
}

/** Checks what holds after every fault, as soon as a daemon had time to note what it did: nothing lost, nothing twice. */
export async function expectKept(home: BerthHome, ledger: Ledger): Promise<void> {
  expect(ledger.counts()).toMatchObject({
    accepted: ledger.entries.length,
    lost: 0,
    repeated: 0,
    unasked: 0,
  });
  await until(() => {
    expectOneReplyEach(home, ledger);
  });
}
