/** Shows a session's container, in its inbound.db, a part of the host's own records. Writes only what differs. */
import type { StatementCache } from '../../base/sqlite/statement-cache.js';
import type { Address, Destination } from '../session-message.js';

export function writeRouting(statements: StatementCache, routing: Address): void {
  const upsert = statements.prepare<[Address], never>(
    `INSERT INTO session_routing (id, channel_type, platform_id, thread_id) VALUES (1, @channelType, @platformId, @threadId)
     ON CONFLICT (id) DO UPDATE SET channel_type = @channelType, platform_id = @platformId, thread_id = @threadId
     WHERE channel_type IS NOT @channelType OR platform_id IS NOT @platformId OR thread_id IS NOT @threadId`,
  );
  upsert.run(routing);
}

export function writeDestinations(
  statements: StatementCache,
  destinations: readonly Destination[],
): void {
  const names = JSON.stringify(destinations.map((destination) => destination.name));
  statements
    .prepare('DELETE FROM destinations WHERE name NOT IN (SELECT value FROM json_each(?))')
    .run(names);
  const upsert = statements.prepare(
    `INSERT INTO destinations (name, display_name, type, channel_type, platform_id, agent_group_id)
     VALUES (@name, @displayName, @type, @channelType, @platformId, @agentGroupId)
     ON CONFLICT (name) DO UPDATE SET display_name = @displayName, type = @type, channel_type = @channelType,
       platform_id = @platformId, agent_group_id = @agentGroupId
     WHERE display_name IS NOT @displayName OR type IS NOT @type OR channel_type IS NOT @channelType
        OR platform_id IS NOT @platformId OR agent_group_id IS NOT @agentGroupId`,
  );
  for (const destination of destinations) upsert.run(destination);
}
