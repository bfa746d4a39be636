import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { outboxRoot } from '../../../shared/protocol/workspace.js';
import { whileExchanging } from '../../../test/fakes/exchanger.js';
import { UpkeepRoom } from '../../../test/fakes/upkeep-room.js';

describe('old files', () => {
  let room: UpkeepRoom;

  beforeEach(() => {
    room = new UpkeepRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  function recordDeadLetter(direction: 'in' | 'out', messageId: string): void {
    const createdAt = room.clock.iso();
    const { id: sessionId } = room.session;
    room.store.deadLetters.insert({ sessionId, direction, messageId, reason: '', createdAt });
  }

  it('of messages that are done with go after 30 days', async () => {
    await room.exchange('m-1');
    const files = [room.inboxFile('m-1'), room.outboxFile('o-m-1'), room.sentFile('o-m-1')];
    room.advanceDays(29);
    await room.upkeep();
    expect(files.map(existsSync)).toEqual([true, true, true]);
    room.advanceDays(2);
    await room.upkeep();
    expect(files.map((file) => existsSync(dirname(file)))).toEqual([false, false, false]);
  });

  it('of messages that are not done with stay', async () => {
    await room.exchange('m-1');
    await room.post(room.session, 'waits');
    room.runner.say('later', { id: 'o-later', deliverAfter: '9999-12-31T00:00:00.000Z' });
    await room.deliver();
    const files = [room.inboxFile('waits'), room.outboxFile('o-later'), room.sentFile('o-later')];
    room.advanceDays(400);
    await room.upkeep();
    expect(files.map(existsSync)).toEqual([true, true, true]);
  });

  it('of messages that a person may still try again stay', async () => {
    await room.exchange('m-1');
    recordDeadLetter('in', 'm-1');
    recordDeadLetter('out', 'o-m-1');
    const files = [room.inboxFile('m-1'), room.outboxFile('o-m-1'), room.sentFile('o-m-1')];
    room.advanceDays(400);
    await room.upkeep();
    expect(files.map(existsSync)).toEqual([true, true, true]);
  });

  it('that no message names go too', async () => {
    await room.exchange('m-1');
    const files = [room.inboxFile('m-gone'), room.outboxFile('..x'), room.sentFile('o-gone')];
    room.advanceDays(31);
    await room.upkeep();
    expect(files.map(existsSync)).toEqual([false, false, false]);
  });

  it('of a running container are left until it has ended', async () => {
    await room.exchange('m-1');
    const file = room.outboxFile('o-m-1');
    room.advanceDays(31);
    room.setSession({ containerStatus: 'running' });
    await room.upkeep();
    expect(existsSync(file)).toBe(true);
    const next = room.store.dueItems.find(room.session.id, 'prune');
    expect(next?.dueAt).toBe(room.clock.iso(3_600_000));
    room.setSession({ containerStatus: 'stopped' });
    await room.upkeep();
    expect(existsSync(file)).toBe(false);
  });

  it('behind links are not ours', async () => {
    await room.exchange('m-1');
    const precious = mkdtempSync(join(tmpdir(), 'berth-precious-'));
    mkdirSync(join(precious, 'o-m-1'));
    writeFileSync(join(precious, 'o-m-1', 'file'), 'x');
    const outbox = outboxRoot(room.folders.outDir(room.session.id));
    try {
      symlinkSync(precious, outbox);
      room.advanceDays(31);
      await room.upkeep();
      expect(readdirSync(join(precious, 'o-m-1'))).toEqual(['file']);
      rmSync(outbox);
      mkdirSync(outbox);
      symlinkSync(join(precious, 'o-m-1'), join(outbox, 'o-m-1'));
      room.advanceDays(31);
      await room.upkeep();
      expect(readdirSync(outbox)).toEqual([]);
      expect(readdirSync(join(precious, 'o-m-1'))).toEqual(['file']);
    } finally {
      rmSync(precious, { recursive: true });
    }
  });

  it('go from no host folder that takes the outbox’s place meanwhile', async () => {
    await room.exchange('m-1');
    const precious = mkdtempSync(join(tmpdir(), 'berth-precious-'));
    const outDir = room.folders.outDir(room.session.id);
    const [outbox, link] = [outboxRoot(outDir), join(outDir, 'link')];
    const names = Array.from({ length: 120 }, (_, index) => `o-${index}`);
    for (const name of names) mkdirSync(join(precious, name));
    mkdirSync(outbox);
    symlinkSync(precious, link);
    room.advanceDays(31);
    try {
      await whileExchanging(outbox, link, async () => {
        for (let round = 0; round < 5; round += 1) await room.upkeep();
      });
      expect(readdirSync(precious).sort()).toEqual(names.sort());
    } finally {
      rmSync(precious, { recursive: true });
    }
  });

  it('go in any number', async () => {
    await room.exchange('m-1');
    const outbox = outboxRoot(room.folders.outDir(room.session.id));
    for (let i = 0; i < 400; i += 1) {
      mkdirSync(join(outbox, `o-${i}`), { recursive: true });
      writeFileSync(join(outbox, `o-${i}`, 'x'), 'x');
    }
    room.advanceDays(31);
    await room.upkeep();
    expect(readdirSync(outbox)).toEqual([]);
  });

  it('are no matter in a session that was never written to', async () => {
    const { id } = room.addSession();
    room.advanceDays(31);
    await room.upkeep();
    expect(room.logLines.filter((line) => line.includes('not pruned'))).toEqual([]);
    expect(room.store.dueItems.find(id, 'prune')).toBeDefined();
  });
});
