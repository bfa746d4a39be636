import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BerthError } from '../../shared/base/errors.js';
import { inboundDbPath, outboundDbPath } from '../../shared/protocol/workspace.js';
import { ContainerRoom } from '../../test/fakes/container-room.js';
import { until } from '../../test/fakes/waiting.js';
import type { Session } from '../store/sessions.js';

describe('a session whose file is damaged while its container runs', () => {
  let room: ContainerRoom;
  let session: Session;

  beforeEach(async () => {
    room = new ContainerRoom();
    session = await room.addWaitingSession();
    room.runnerOf(session.id);
    room.store.sessions.touch(session.id, room.clock.iso());
    room.reconciler.start();
    await until(() => {
      expect(room.containerStatus(session)).toBe('running');
    });
  });

  afterEach(async () => {
    await room[Symbol.asyncDispose]();
  });

  it.each([
    ['inbound.db', () => inboundDbPath(room.folders.inDir(session.id))],
    ['outbound.db', () => outboundDbPath(room.folders.outDir(session.id))],
  ])('has it stopped, %s replaced, and another one started', async (file, pathOf) => {
    const path = pathOf();
    writeFileSync(path, 'no database');
    const order: string[] = [];
    room.whenEnded = () => {
      order.push(`ended, ${room.store.repairs.isWanted(session.id) ? 'damaged' : 'whole'}`);
    };
    room.recovery?.report(session.id, new BerthError('database_corrupt', 'x', { facts: { path } }));
    await until(() => {
      expect(room.store.repairs.isWanted(session.id)).toBe(false);
    });
    expect(order).toEqual(['ended, damaged']);
    room.clock.advance(2_000);
    await room.post(session, 'm-2');
    room.reconciler.nudge(session.id);
    await until(() => {
      expect(room.runtime.starts).toHaveLength(2);
    });
    expect(room.store.repairs.listForSession(session.id, 10)).toMatchObject([
      { file, action: 'replaced' },
    ]);
    expect(room.store.sessions.find(session.id)?.status).toBe('active');
  });

  it('keeps its container when a commit is merely under way', async () => {
    const path = outboundDbPath(room.folders.outDir(session.id));
    const facts = { path, sqlite: 'SQLITE_READONLY_ROLLBACK' };
    const error = new BerthError('database_unreadable', 'x', { facts });
    expect(room.recovery?.report(session.id, error)).toBe(false);
    expect(room.store.repairs.isWanted(session.id)).toBe(false);
    await Promise.resolve();
    expect(room.containerStatus(session)).toBe('running');
  });
});
