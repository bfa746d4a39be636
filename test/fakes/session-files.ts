import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Session } from '../../host/store/sessions.js';
import { readMigrations } from '../../shared/base/sqlite/migrate.js';
import { withDatabase } from '../../shared/base/sqlite/sqlite.js';
import { InboundHandle } from '../../shared/protocol/mailbox/inbound-handle.js';
import { InboundWriter } from '../../shared/protocol/mailbox/inbound-writer.js';
import type { CommandLine } from './command-line.js';
import { insertSession } from './session-rows.js';

const migrations = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'migrations');

/** Notes a session of terminal:local with the first agent group; makes both when there are none. */
export function addSession(cli: CommandLine, fields: Partial<Session> = {}): string {
  return cli.store((store) => {
    const now = new Date().toISOString();
    if (store.agentGroups.list().length === 0) {
      store.agentGroups.insert({
        id: 'ag-1',
        name: 'Main',
        folder: 'main',
        isAdmin: true,
        provider: null,
        containerConfig: null,
        createdAt: now,
      });
    }
    if (store.messagingGroups.findByPlatform('terminal', 'local') === undefined) {
      store.messagingGroups.insert({
        id: 'mg-1',
        channelType: 'terminal',
        platformId: 'local',
        name: null,
        isGroup: false,
        adminUserId: null,
        timeZone: null,
        createdAt: now,
      });
    }
    const session: Session = {
      id: `s-${String(store.sessions.list().length + 1).padStart(18, '0')}`,
      agentGroupId: 'ag-1',
      messagingGroupId: 'mg-1',
      threadId: null,
      provider: null,
      status: 'active',
      statusReason: null,
      containerStatus: 'stopped',
      lastActive: now,
      createdAt: now,
      ...fields,
    };
    insertSession(store, session);
    return session.id;
  });
}

/** Writes a conversation of `count` messages, each with its echo, as host and runner would. */
export function writeConversation(cli: CommandLine, sessionId: string, count: number): void {
  const folder = join(cli.home, 'data', 'sessions', sessionId);
  for (const side of ['in', 'out']) mkdirSync(join(folder, side), { recursive: true });
  const file = new InboundHandle(join(folder, 'in', 'inbound.db'));
  file.create(readMigrations(join(migrations, 'inbound')));
  const inbound = new InboundWriter(file);
  const [outboundSql] = readMigrations(join(migrations, 'outbound'));
  const timestamp = '2026-01-31T12:00:00.000Z';
  withDatabase(join(folder, 'out', 'outbound.db'), { mode: 'create', busyTimeoutMs: 0 }, (out) => {
    out.exec(outboundSql!.sql);
    for (let i = 1; i <= count; i += 1) {
      const content = JSON.stringify({ text: `message ${i}`, sender: { id: 'u1', name: 'Ada' } });
      inbound.append({
        rows: [
          {
            id: `m-${i}`,
            kind: 'chat',
            timestamp,
            status: 'pending',
            processAfter: null,
            recurrence: null,
            address: { channelType: 'terminal', platformId: 'local', threadId: null },
            content,
          },
        ],
        outboundMaxSeq: i * 2 - 1,
      });
      out
        .prepare(
          `INSERT INTO messages_out (id, seq, in_reply_to, timestamp, kind, content) VALUES (?, ?, ?, ?, 'chat', ?)`,
        )
        .run(
          `o-${i}`,
          i * 2 + 1,
          `m-${i}`,
          timestamp,
          JSON.stringify({ text: `echo: message ${i}` }),
        );
    }
  });
  inbound.recordDeliveries(
    [{ messageOutId: 'o-1', status: 'delivered', platformMessageId: 'p-1' }],
    [],
    Date.parse(timestamp),
  );
}
