import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { outboundDbPath } from '../../../shared/protocol/workspace.js';
import { RecoverySetup } from '../../../test/fakes/recovery-setup.js';

it('tells of a replaced outbound.db where a session was last spoken to that serves several chats', async () => {
  using setup = new RecoverySetup();
  const shared = setup.addSession({ messagingGroupId: null });
  await setup.post(shared, 'm-1');
  setup.inbound(shared.id, (db) =>
    db.exec(`INSERT INTO session_routing VALUES (1, 'fake', 'chat-1', NULL)`),
  );
  setup.runnerOf(shared.id);
  writeFileSync(outboundDbPath(setup.folders.outDir(shared.id)), 'no database');
  await setup.end(shared);
  expect(setup.notices().map(({ id }) => id)).toEqual([
    expect.stringContaining(`repaired-${shared.id}-outbound.db`),
  ]);
});
