import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { outboundDbPath } from '../../../shared/protocol/workspace.js';
import { RecoveryRoom } from '../../../test/fakes/recovery-room.js';

it('tells of a replaced outbound.db where a session was last spoken to that serves several chats', async () => {
  using room = new RecoveryRoom();
  const shared = room.addSession({ messagingGroupId: null });
  await room.post(shared, 'm-1');
  room.inbound(shared.id, (db) =>
    db.exec(`INSERT INTO session_routing VALUES (1, 'fake', 'chat-1', NULL)`),
  );
  room.runnerOf(shared.id);
  writeFileSync(outboundDbPath(room.folders.outDir(shared.id)), 'no database');
  await room.end(shared);
  expect(room.notices().map(({ id }) => id)).toEqual([
    expect.stringContaining(`repaired-${shared.id}-outbound.db`),
  ]);
});
