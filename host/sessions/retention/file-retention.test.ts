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
import { UpkeepSetup } from '../../../test/fakes/upkeep-setup.js';

describe('old files', () => {
  let setup: UpkeepSetup;

  beforeEach(() => {
    setup = new UpkeepSetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  function recordDeadLetter(direction: 'in' | 'out', messageId: string): void {
    const createdAt = setup.clock.iso();
    const { id: sessionId } = setup.session;
    setup.store.deadLetters.insert({ sessionId, direction, messageId, reason: '', createdAt });
  }

  it('of messages that are done with go after 30 days', async () => {
    await setup.exchange('m-1');
    const files = [setup.inboxFile('m-1'), setup.outboxFile('o-m-1'), setup.sentFile('o-m-1')];
    setup.advanceDays(29);
    await setup.upkeep();
    expect(files.map(existsSync)).toEqual([true, true, true]);
    setup.advanceDays(2);
    await setup.upkeep();
    expect(files.map((file) => existsSync(dirname(file)))).toEqual([false, false, false]);
  });

  it('of messages that are not done with stay', async () => {
    await setup.exchange('m-1');
    await setup.post(setup.session, 'waits');
    setup.runner.say('later', { id: 'o-later', deliverAfter: '9999-12-31T00:00:00.000Z' });
    await setup.deliver();
    const files = [
      setup.inboxFile('waits'),
      setup.outboxFile('o-later'),
      setup.sentFile('o-later'),
    ];
    setup.advanceDays(400);
    await setup.upkeep();
    expect(files.map(existsSync)).toEqual([true, true, true]);
  });

  it('of messages that a person may still try again stay', async () => {
    await setup.exchange('m-1');
    recordDeadLetter('in', 'm-1');
    recordDeadLetter('out', 'o-m-1');
    const files = [setup.inboxFile('m-1'), setup.outboxFile('o-m-1'), setup.sentFile('o-m-1')];
    setup.advanceDays(400);
    await setup.upkeep();
    expect(files.map(existsSync)).toEqual([true, true, true]);
  });

  it('that no message names go too', async () => {
    await setup.exchange('m-1');
    const files = [setup.inboxFile('m-gone'), setup.outboxFile('..x'), setup.sentFile('o-gone')];
    setup.advanceDays(31);
    await setup.upkeep();
    expect(files.map(existsSync)).toEqual([false, false, false]);
  });

  it('of a running container are left until it has ended', async () => {
    await setup.exchange('m-1');
    const file = setup.outboxFile('o-m-1');
    setup.advanceDays(31);
    setup.setSession({ containerStatus: 'running' });
    await setup.upkeep();
    expect(existsSync(file)).toBe(true);
    const next = setup.store.dueItems.find(setup.session.id, 'prune');
    expect(next?.dueAt).toBe(setup.clock.iso(3_600_000));
    setup.setSession({ containerStatus: 'stopped' });
    await setup.upkeep();
    expect(existsSync(file)).toBe(false);
  });

  it('behind links are not ours', async () => {
    await setup.exchange('m-1');
    const precious = mkdtempSync(join(tmpdir(), 'berth-precious-'));
    mkdirSync(join(precious, 'o-m-1'));
    writeFileSync(join(precious, 'o-m-1', 'file'), 'x');
    const outbox = outboxRoot(setup.folders.outDir(setup.session.id));
    try {
      symlinkSync(precious, outbox);
      setup.advanceDays(31);
      await setup.upkeep();
      expect(readdirSync(join(precious, 'o-m-1'))).toEqual(['file']);
      rmSync(outbox);
      mkdirSync(outbox);
      symlinkSync(join(precious, 'o-m-1'), join(outbox, 'o-m-1'));
      setup.advanceDays(31);
      await setup.upkeep();
      expect(readdirSync(outbox)).toEqual([]);
      expect(readdirSync(join(precious, 'o-m-1'))).toEqual(['file']);
    } finally {
      rmSync(precious, { recursive: true });
    }
  });

  it('go from no host folder that takes the outbox’s place meanwhile', async () => {
    await setup.exchange('m-1');
    const precious = mkdtempSync(join(tmpdir(), 'berth-precious-'));
    const outDir = setup.folders.outDir(setup.session.id);
    const [outbox, link] = [outboxRoot(outDir), join(outDir, 'link')];
    const names = Array.from({ length: 120 }, (_, index) => `o-${index}`);
    for (const name of names) mkdirSync(join(precious, name));
    mkdirSync(outbox);
    symlinkSync(precious, link);
    setup.advanceDays(31);
    try {
      await whileExchanging(outbox, link, async () => {
        for (let round = 0; round < 5; round += 1) await setup.upkeep();
      });
      expect(readdirSync(precious).sort()).toEqual(names.sort());
    } finally {
      rmSync(precious, { recursive: true });
    }
  });

  it('go in any number', async () => {
    await setup.exchange('m-1');
    const outbox = outboxRoot(setup.folders.outDir(setup.session.id));
    for (let i = 0; i < 400; i += 1) {
      mkdirSync(join(outbox, `o-${i}`), { recursive: true });
      writeFileSync(join(outbox, `o-${i}`, 'x'), 'x');
    }
    setup.advanceDays(31);
    await setup.upkeep();
    expect(readdirSync(outbox)).toEqual([]);
  });

  it('are no matter in a session that was never written to', async () => {
    const { id } = setup.addSession();
    setup.advanceDays(31);
    await setup.upkeep();
    expect(setup.logLines.filter((line) => line.includes('not pruned'))).toEqual([]);
    expect(setup.store.dueItems.find(id, 'prune')).toBeDefined();
  });
});
