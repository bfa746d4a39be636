/** Reads what an inbound.db tells of its session, for a host whose own records do not know it. */
import type { StatementCache } from '../../base/sqlite/statement-cache.js';
import type { Address } from '../session-message.js';

export interface InboundSummary {
  /** The address of its replies; where that was never written, where its newest message came from. */
  readonly routing: Address | null;
  /** More than one: it serves several chats. */
  readonly chatCount: number;
  readonly messageCount: number;
  /** When the newest message came, ISO-8601; of planned tasks only: when they were due at the earliest. Null: none came. */
  readonly lastAt: string | null;
}

export function summarizeInbound(statements: StatementCache): InboundSummary {
  const counts = statements
    .prepare<[], { messageCount: number; chatCount: number; lastAt: string | null }>(
      `SELECT count(*) AS messageCount,
              count(DISTINCT channel_type || char(10) || platform_id) AS chatCount,
              coalesce(max(timestamp) FILTER (WHERE kind <> 'task'), min(timestamp)) AS lastAt
       FROM messages_in`,
    )
    .get();
  return {
    routing: findRouting(statements),
    chatCount: counts?.chatCount ?? 0,
    messageCount: counts?.messageCount ?? 0,
    lastAt: counts?.lastAt ?? null,
  };
}

function findRouting(statements: StatementCache): Address | null {
  const found = statements
    .prepare<[], Address>(
      `SELECT channel_type AS channelType, platform_id AS platformId, thread_id AS threadId
       FROM (SELECT 0 AS rank, 0 AS seq, channel_type, platform_id, thread_id FROM session_routing
             UNION ALL SELECT 1, -seq, channel_type, platform_id, thread_id FROM messages_in)
       WHERE channel_type IS NOT NULL AND platform_id IS NOT NULL ORDER BY rank, seq LIMIT 1`,
    )
    .get();
  return found ?? null;
}
