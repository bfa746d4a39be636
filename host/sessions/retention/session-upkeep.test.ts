import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UpkeepRoom } from '../../../test/fakes/upkeep-room.js';
import { settled, until } from '../../../test/fakes/waiting.js';

const dayMs = 86_400_000;

describe('the upkeep of a session', () => {
  let room: UpkeepRoom;

  beforeEach(() => {
    room = new UpkeepRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  function folder(): string {
    return room.folders.folderOf(room.session.id);
  }

  function daysToNext(): number {
    const next = room.store.dueItems.find(room.session.id, 'prune');
    return (Date.parse(next?.dueAt ?? '') - room.clock.now()) / dayMs;
  }

  function writeLogs(): readonly string[] {
    const path = room.logPath(room.session.id);
    mkdirSync(dirname(path), { recursive: true });
    const paths = [path, `${path}.1`, `${path}.2`];
    for (const one of paths) writeFileSync(one, 'x');
    return paths;
  }

  it('happens daily while it is used, and weekly after that', async () => {
    room.store.sessions.touch(room.session.id, room.clock.iso());
    await room.upkeep();
    expect(daysToNext()).toBe(1);
    room.advanceDays(60);
    await room.upkeep();
    expect(daysToNext()).toBe(7);
  });

  it('happens first a day after it was made', () => {
    const session = room.addSession();
    const planned = room.store.dueItems.find(session.id, 'prune');
    expect(planned?.dueAt).toBe(room.clock.iso(dayMs));
  });

  it('is planned again when its files cannot be read', async () => {
    await room.exchange('m-1');
    writeFileSync(`${room.folders.inDir(room.session.id)}/inbound.db`, 'not a database at all');
    await room.upkeep();
    expect(daysToNext()).toBe(7);
    expect(room.logLines.join('')).toContain('session not pruned');
  });

  it('takes away its logs when it is not used any more', async () => {
    room.store.sessions.touch(room.session.id, room.clock.iso());
    const logs = writeLogs();
    room.advanceDays(29);
    await room.upkeep();
    expect(logs.map(existsSync)).toEqual([true, true, true]);
    room.advanceDays(2);
    await room.upkeep();
    expect(logs.map(existsSync)).toEqual([false, false, false]);
  });

  it.each(['closed', 'set-aside'] as const)(
    'removes it when it has been %s for as long as messages are kept',
    async (status) => {
      await room.exchange('m-1');
      const logs = writeLogs();
      room.advanceDays(500);
      room.setSession({ status });
      await room.upkeep();
      room.advanceDays(364);
      await room.upkeep();
      expect(existsSync(folder())).toBe(true);
      room.advanceDays(2);
      await room.upkeep();
      expect(existsSync(folder())).toBe(false);
      expect(room.store.sessions.find(room.session.id)).toBeUndefined();
      expect(logs.map(existsSync)).toEqual([false, false, false]);
      expect(room.logLines.join('')).toContain('ended session removed');
    },
  );

  it('keeps it while it is used again, has a container, or a letter that nobody has purged', async () => {
    room.setSession({ status: 'closed' });
    await room.upkeep();
    room.setSession({ status: 'active' });
    room.advanceDays(400);
    await room.upkeep();
    room.setSession({ status: 'closed' });
    await room.upkeep();
    expect(existsSync(folder())).toBe(true);

    room.advanceDays(400);
    room.setSession({ containerStatus: 'running' });
    await room.upkeep();
    expect(existsSync(folder())).toBe(true);

    room.setSession({ containerStatus: 'stopped' });
    const createdAt = room.clock.iso();
    const { id: sessionId } = room.session;
    room.store.deadLetters.insert({
      ...{ sessionId, direction: 'in', messageId: 'm-1', reason: '', createdAt },
    });
    await room.upkeep();
    expect(existsSync(folder())).toBe(true);
  });

  it('keeps it while something that was said in it is still to be sent', async () => {
    room.setSession({ status: 'closed' });
    await room.upkeep();
    const item = { sessionId: room.session.id, kind: 'deliver', attempts: 0 } as const;
    room.store.dueItems.set({ ...item, dueAt: room.clock.iso(900 * 86_400_000) });
    room.advanceDays(400);
    await room.upkeep();
    expect(existsSync(folder())).toBe(true);
    room.store.dueItems.clear(room.session.id, 'deliver');
    room.store.awaitedListeners.add(room.session.id, 'fake', 'chat-1');
    await room.upkeep();
    expect(existsSync(folder())).toBe(true);
    room.store.awaitedListeners.take('fake', 'chat-1');
    await room.upkeep();
    expect(existsSync(folder())).toBe(false);
  });

  it('waits for a day of the daemon’s time when the clock has gone far ahead', async () => {
    await room.exchange('m-1');
    await room.exchange('m-2');
    const upkeep = room.newUpkeep();
    room.clockJumps.check();
    // Nobody but the upkeep reads the clock from here on.
    room.clock.advance(400 * 86_400_000);
    room.planPrune(room.session.id);
    upkeep.start();
    await settled();
    await upkeep.stop();
    expect(room.messageIds()).toEqual(['m-1', 'm-2']);
    room.advanceDays(25 / 24);
    const later = room.newUpkeep();
    later.start();
    await until(() => {
      expect(room.messageIds()).toEqual(['m-2']);
    });
    await later.stop();
  });

  it('removes its row even where the folder went before', async () => {
    room.setSession({ status: 'closed' });
    await room.upkeep();
    room.advanceDays(366);
    // As after a crash between the two.
    mkdirSync(room.trashDir, { recursive: true });
    renameSync(folder(), `${room.trashDir}/left`);
    await room.upkeep();
    expect(room.store.sessions.find(room.session.id)).toBeUndefined();
  });
});
