import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DoomedHome } from './doomed-home.js';
import { killAtWrite, whyNoTracing } from './killing-write.js';
import { isMissing } from './prerequisites.js';
import { rounds, Seeded } from './seeded.js';
import { expectKept } from './session-audit.js';

const chats = ['torn', 'b', 'c'];

describe.skipIf(isMissing('commits torn by SIGKILL', whyNoTracing()))(
  'SIGKILL of the writer in the middle of a commit',
  () => {
    it('on inbound.db: the next daemon rolls it back and goes on', async () => {
      const random = Seeded.forTest();
      await using home = new DoomedHome('process');
      const ledger = home.ledger();
      let hot = 0;
      for (let round = 0; round < 3 * rounds; round += 1) {
        const doomed = home.run();
        for (const chat of chats) ledger.say(chat);
        await ledger.untilOver();
        const path = join(home.sessionDir(home.sessionOf('torn')), 'in', 'inbound.db');
        const { sprung } = await killAtWrite(doomed.pid, path, random.between(1, 8));
        for (let i = 0; i < 8; i += 1) for (const chat of chats) ledger.say(chat);
        await sprung;
        expect(await doomed.ended).toBe('SIGKILL');
        if (existsSync(`${path}-journal`)) hot += 1;
      }
      home.run();
      await ledger.untilOver();
      ledger.tellCounts({ hotJournals: hot });
      expect(hot).toBeGreaterThan(0);
      expect(ledger.counts()).toMatchObject({ answered: ledger.entries.length, reordered: 0 });
      await expectKept(home, ledger);
    });

    it('on outbound.db: the host rolls it back once, and the messages are answered after the first backoff', async () => {
      const random = Seeded.forTest();
      await using home = new DoomedHome('process');
      home.run();
      const ledger = home.ledger();
      for (const chat of chats) ledger.say(chat);
      await ledger.untilOver();
      await home.json(
        'agent-groups',
        'update',
        'main',
        '--container-config',
        '{"retryBaseMs":500}',
      );
      let hot = 0;
      for (let round = 0; round < 3 * rounds; round += 1) {
        const outDir = join(home.sessionDir(home.sessionOf('torn')), 'out');
        const path = join(outDir, 'outbound.db');
        const { sprung } = await killAtWrite(home.runnerOf('torn'), path, random.between(1, 6));
        for (let i = 0; i < 4; i += 1) for (const chat of chats) ledger.say(chat);
        await sprung;
        if (existsSync(`${path}-journal`)) hot += 1;
        await ledger.untilOver();
      }
      ledger.tellCounts({ hotJournals: hot });
      expect(hot).toBeGreaterThan(0);
      expect(ledger.counts()).toMatchObject({ answered: ledger.entries.length });
      expect(Math.max(...ledger.latencies())).toBeLessThan(7_000);
      await expectKept(home, ledger);
    });
  },
);
