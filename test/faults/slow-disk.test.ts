import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BerthHome } from '../fakes/berth-home.js';
import { until } from '../fakes/waiting.js';
import { Ledger } from './ledger.js';
import { isMissing } from './prerequisites.js';
import { tell } from './seeded.js';

const source = join(dirname(fileURLToPath(import.meta.url)), 'slow-disk.c');
const syncMs = 400;
/** How long central.db's log is when it is copied into the database. */
const copiedAtBytes = 4 * 1024 * 1024;

function whyNoShim(): string | undefined {
  if (process.platform !== 'linux') return 'only Linux loads a library before libc this way';
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'there is no C compiler';
  }
}

interface SlowState {
  readonly disk: string | null;
  readonly loopDelay: { readonly longestMs: number } | null;
}

function stateOf(home: BerthHome): SlowState {
  const json = home.central((db) =>
    db.prepare(`SELECT value FROM daemon_state WHERE key = 'daemon'`).pluck().get(),
  );
  return JSON.parse(String(json)) as SlowState;
}

describe.skipIf(isMissing('a slow disk', whyNoShim()))(
  'a disk on which each sync takes long',
  () => {
    let folder: string;
    let shim: string;
    let mark: string;

    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'berth-slow-'));
      shim = join(folder, 'slow-disk.so');
      mark = join(folder, 'slow');
      execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', shim, source, '-ldl']);
    });

    afterAll(() => {
      rmSync(folder, { recursive: true, force: true });
    });

    it('does not hold the event loop, loses nothing, and is said in the status', async () => {
      await using home = new BerthHome('process', { LD_PRELOAD: shim, SLOW_DISK_MARK: mark });
      await home.start();
      const ledger = new Ledger(home.socket);
      const log = join(home.home, 'data', 'central.db-wal');
      let longestLog = 0;
      const sayUntilLogHad = async (bytes: number): Promise<void> => {
        for (let round = 0; round < 60 && longestLog <= bytes; round += 1) {
          const said = Array.from({ length: 20 }, (_, i) => ledger.say(`chat-${i % 4}`));
          await ledger.until(() => {
            longestLog = Math.max(longestLog, statSync(log).size);
            return said.every(({ messageId }) => messageId !== undefined);
          });
        }
      };
      await sayUntilLogHad(0.9 * copiedAtBytes);
      writeFileSync(mark, '');
      const before = stateOf(home).loopDelay?.longestMs ?? 0;
      try {
        // A commit that copied the log into the database would wait for the disk.
        await sayUntilLogHad(copiedAtBytes);
        await ledger.untilOver();
        expect(longestLog).toBeGreaterThan(copiedAtBytes);
        await until(() => {
          expect(stateOf(home).disk).toContain('is slow');
        });
        const { longestMs = 0 } = stateOf(home).loopDelay ?? {};
        tell(`event loop held for ${longestMs} ms at the most, ${before} ms before`);
        expect(longestMs).toBeLessThan(syncMs / 2);
        expect(ledger.counts()).toMatchObject({ lost: 0, answered: ledger.entries.length });
      } finally {
        rmSync(mark);
      }
    });

    it('keeps the daily backup from holding the event loop', async () => {
      await using home = new BerthHome('process', { LD_PRELOAD: shim, SLOW_DISK_MARK: mark });
      await home.start();
      await home.berth('stop');
      rmSync(join(home.home, 'data', 'backups'), { recursive: true });
      writeFileSync(mark, '');
      try {
        await home.start();
        await until(() => {
          const log = readFileSync(join(home.home, 'data', 'logs', 'daemon.log'), 'utf8');
          expect(log.split('central database backed up')).toHaveLength(3);
        });
        const ledger = new Ledger(home.socket);
        ledger.say('chat');
        await ledger.untilOver();
        const { longestMs } = await until(() => {
          const { loopDelay } = stateOf(home);
          if (loopDelay === null) throw new Error('the daemon has not said how long it was held');
          return loopDelay;
        });
        tell(`event loop held for ${longestMs} ms at the most`);
        expect(longestMs).toBeLessThan(syncMs / 2);
        expect(ledger.counts()).toMatchObject({ lost: 0, answered: 1 });
      } finally {
        rmSync(mark);
      }
    });
  },
);
