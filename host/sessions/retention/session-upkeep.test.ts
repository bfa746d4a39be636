import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UpkeepSetup } from '../../../test/fakes/upkeep-setup.js';
import { settled, until } from '../../../test/fakes/waiting.js';

const dayMs = 86_400_000;

describe('the upkeep of a session', () => {
  let setup: UpkeepSetup;

  beforeEach(() => {
    setup = new UpkeepSetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  function folder(): string {
    return setup.folders.folderOf(setup.session.id);
  }

  function daysToNext(): number {
    const next = setup.store.dueItems.find(setup.session.id, 'prune');
    return (Date.parse(next?.dueAt ?? '') - setup.clock.now()) / dayMs;
  }

  function writeLogs(): readonly string[] {
    const path = setup.logPath(setup.session.id);
    mkdirSync(dirname(path), { recursive: true });
    const paths = [path, `${path}.1`, `${path}.2`];
    for (const one of paths) writeFileSync(one, 'x');
    return paths;
  }

  it('happens daily while it is used, and weekly after that', async () => {
    setup.store.sessions.touch(setup.session.id, setup.clock.iso());
    await setup.upkeep();
    expect(daysToNext()).toBe(1);
    setup.advanceDays(60);
    await setup.upkeep();
    expect(daysToNext()).toBe(7);
  });

  it('happens first a day after it was made', () => {
    const session = setup.addSession();
    const planned = setup.store.dueItems.find(session.id, 'prune');
    expect(planned?.dueAt).toBe(setup.clock.iso(dayMs));
  });

  it('is planned again when its files cannot be read', async () => {
    await setup.exchange('m-1');
    writeFileSync(`${setup.folders.inDir(setup.session.id)}/inbound.db`, 'not a database at all');
    await setup.upkeep();
    expect(daysToNext()).toBe(7);
    expect(setup.logLines.join('')).toContain('session not pruned');
  });

  it('takes away its logs when it is not used any more', async () => {
    setup.store.sessions.touch(setup.session.id, setup.clock.iso());
    const logs = writeLogs();
    setup.advanceDays(29);
    await setup.upkeep();
    expect(logs.map(existsSync)).toEqual([true, true, true]);
    setup.advanceDays(2);
    await setup.upkeep();
    expect(logs.map(existsSync)).toEqual([false, false, false]);
  });

  it.each(['closed', 'set-aside'] as const)(
    'removes it when it has been %s for as long as messages are kept',
    async (status) => {
      await setup.exchange('m-1');
      const logs = writeLogs();
      setup.advanceDays(500);
      setup.setSession({ status });
      await setup.upkeep();
      setup.advanceDays(364);
      await setup.upkeep();
      expect(existsSync(folder())).toBe(true);
      setup.advanceDays(2);
      await setup.upkeep();
      expect(existsSync(folder())).toBe(false);
      expect(setup.store.sessions.find(setup.session.id)).toBeUndefined();
      expect(logs.map(existsSync)).toEqual([false, false, false]);
      expect(setup.logLines.join('')).toContain('ended session removed');
    },
  );

  it('keeps it while it is used again, has a container, or a letter that nobody has purged', async () => {
    setup.setSession({ status: 'closed' });
    await setup.upkeep();
    setup.setSession({ status: 'active' });
    setup.advanceDays(400);
    await setup.upkeep();
    setup.setSession({ status: 'closed' });
    await setup.upkeep();
    expect(existsSync(folder())).toBe(true);

    setup.advanceDays(400);
    setup.setSession({ containerStatus: 'running' });
    await setup.upkeep();
    expect(existsSync(folder())).toBe(true);

    setup.setSession({ containerStatus: 'stopped' });
    const createdAt = setup.clock.iso();
    const { id: sessionId } = setup.session;
    setup.store.deadLetters.insert({
      ...{ sessionId, direction: 'in', messageId: 'm-1', reason: '', createdAt },
    });
    await setup.upkeep();
    expect(existsSync(folder())).toBe(true);
  });

  it('keeps it while something that was said in it is still to be sent', async () => {
    setup.setSession({ status: 'closed' });
    await setup.upkeep();
    const item = { sessionId: setup.session.id, kind: 'deliver', attempts: 0 } as const;
    setup.store.dueItems.set({ ...item, dueAt: setup.clock.iso(900 * 86_400_000) });
    setup.advanceDays(400);
    await setup.upkeep();
    expect(existsSync(folder())).toBe(true);
    setup.store.dueItems.clear(setup.session.id, 'deliver');
    setup.store.awaitedListeners.add(setup.session.id, 'fake', 'chat-1');
    await setup.upkeep();
    expect(existsSync(folder())).toBe(true);
    setup.store.awaitedListeners.take('fake', 'chat-1');
    await setup.upkeep();
    expect(existsSync(folder())).toBe(false);
  });

  it('waits for a day of the daemon’s time when the clock has gone far ahead', async () => {
    await setup.exchange('m-1');
    await setup.exchange('m-2');
    const upkeep = setup.newUpkeep();
    setup.clockJumps.check();
    // Nobody but the upkeep reads the clock from here on.
    setup.clock.advance(400 * 86_400_000);
    setup.planPrune(setup.session.id);
    upkeep.start();
    await settled();
    await upkeep.stop();
    expect(setup.messageIds()).toEqual(['m-1', 'm-2']);
    setup.advanceDays(25 / 24);
    const later = setup.newUpkeep();
    later.start();
    await until(() => {
      expect(setup.messageIds()).toEqual(['m-2']);
    });
    await later.stop();
  });

  it('removes its row even where the folder went before', async () => {
    setup.setSession({ status: 'closed' });
    await setup.upkeep();
    setup.advanceDays(366);
    // As after a crash between the two.
    mkdirSync(setup.trashDir, { recursive: true });
    renameSync(folder(), `${setup.trashDir}/left`);
    await setup.upkeep();
    expect(setup.store.sessions.find(setup.session.id)).toBeUndefined();
  });
});
