import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import type { TerminalWire } from '../fakes/terminal-wire.js';
import type { DoomedHome } from './doomed-home.js';
import { attempts, type Victim } from './hostile/attempts.js';
import { homeWith, mainRuntime } from './runtimes.js';
import { tell, tellTable } from './seeded.js';

const secret = 'only the host may read this';
const answeredWithinMs = 2_000;
/** Unless the machine itself holds this process up for longer. */
const longestHoldMs = 50;
/** Twice as long as it takes to pass over a session twice and to stop its container. */
const watchedMs = 10_000;
const noticedWithinMs = 60_000;
const resolutionMs = 10;

/** Milliseconds until the bystander's message is answered; undefined where it is not in time. */
async function exchange(wire: TerminalWire, text: string): Promise<number | undefined> {
  const beganAt = performance.now();
  const isAnswered = (): boolean => wire.replies('bystander').includes(`echo: ${text}`);
  wire.say(text, { platformId: 'bystander' });
  return await wire.until(isAnswered, answeredWithinMs).then(
    () => performance.now() - beganAt,
    () => undefined,
  );
}

/** The longest time to an answer while the attempt runs; undefined as soon as one message is not answered in time. */
async function watch(wire: TerminalWire): Promise<number | undefined> {
  const endsAt = performance.now() + watchedMs;
  let longest = 0;
  for (let i = 0; performance.now() < endsAt; i += 1) {
    const tookMs = await exchange(wire, `bystander ${i}`);
    if (tookMs === undefined) return undefined;
    longest = Math.max(longest, tookMs);
    await wait(20);
  }
  return longest;
}

async function begin(home: DoomedHome, wire: TerminalWire): Promise<Victim> {
  for (const platformId of ['victim', 'bystander']) {
    wire.say('hello', { platformId });
    await wire.until(() => wire.replies(platformId).length > 0, 60_000);
  }
  const secretFile = join(home.home, 'secret');
  writeFileSync(secretFile, secret);
  const outDir = join(home.sessionDir(home.sessionOf('victim')), 'out');
  return { outDir, platformId: 'victim', secretFile };
}

/** Returns what the victim's chat was told beside replies to what was said. */
function notices(wire: TerminalWire): readonly string[] {
  return wire.replies('victim').filter((text) => !/^(echo: |exchanged-|disorder-)/.test(text));
}

/** The containers of sessions, removed with it. */
class LeftContainers implements AsyncDisposable {
  readonly sessionIds: string[] = [];

  async [Symbol.asyncDispose](): Promise<void> {
    if (mainRuntime !== 'docker') return;
    for (const id of this.sessionIds) {
      const filter = `label=berth.session=${id}`;
      const { stdout } = await execa('docker', ['ps', '--all', '--quiet', '--filter', filter]);
      const ids = stdout.split('\n').filter((one) => one !== '');
      if (ids.length > 0) await execa('docker', ['rm', '--force', ...ids]);
    }
  }
}

/** The daemon's own word, in milliseconds since it was ready. */
async function longestHold(home: DoomedHome): Promise<number> {
  const { loopDelay } = await home.json<{ loopDelay: { longestMs: number } | null }>('status');
  return loopDelay?.longestMs ?? 0;
}

function contentsBelow(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
}

describe('an agent that means harm', () => {
  it.each(attempts)('with $name stops nobody else, and is stopped', async (attempt) => {
    // Disposed of last: a daemon that was killed while it hung may have left them.
    await using left = new LeftContainers();
    await using home = homeWith(mainRuntime);
    const daemon = await home.runUntilReady();
    await using wire = await home.wire();
    const victim = await begin(home, wire);
    left.sessionIds.push(home.sessionOf('victim'), home.sessionOf('bystander'));
    // A hold-up of the machine itself shows before, and in any process.
    const before = await longestHold(home);
    const own = monitorEventLoopDelay({ resolution: resolutionMs });
    try {
      own.enable();
      await using running = await attempt.begin(victim);
      expect(running).toBeDefined();
      wire.say('are you there', { platformId: 'victim' });
      const longestMs = await watch(wire);
      own.disable();
      tellTable([{ attempt: attempt.name, 'longest answer ms': longestMs ?? 'none' }]);
      expect(longestMs, 'the bystander is answered in time').toBeDefined();
      const heldMs = await longestHold(home);
      const ownMs = own.max / 1e6 - resolutionMs;
      tell(`loop held ${heldMs} ms, before ${before} ms; the test's own ${ownMs.toFixed(0)} ms`);
      expect.soft(heldMs).toBeLessThanOrEqual(Math.max(longestHoldMs, before, 2 * ownMs));
      const sent = join(home.sessionDir(home.sessionOf('victim')), 'sent');
      expect.soft(contentsBelow(sent)).not.toContain(secret);
      if (attempt.isNoticed) {
        await wire.until(() => notices(wire).length > 0, noticedWithinMs);
      }
    } finally {
      // A daemon that hangs does not take a request to stop.
      await Promise.race([daemon.stop(), wait(5_000)]);
      if (daemon.isRunning) await daemon.kill();
      // The daemon that ends the containers is not to hang too.
      rmSync(join(victim.outDir, 'outbound.db'), { force: true });
    }
  });
});
