import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, inject, it } from 'vitest';
import { until } from '../fakes/waiting.js';
import type { DoomedHome } from './doomed-home.js';
import { isMissing } from './prerequisites.js';
import { homeWith } from './runtimes.js';
import { SecondEngine, whyNoSecondEngine } from './second-engine.js';
import { Seeded } from './seeded.js';
import { expectKept } from './session-audit.js';

const docker = inject('docker');
const chats = ['a', 'b', 'c'];

/** Returns what the log says of the engine that a person must act upon. */
function listEngineErrors(home: DoomedHome): readonly string[] {
  const log = readFileSync(join(home.home, 'data', 'logs', 'daemon.log'), 'utf8');
  return log
    .split('\n')
    .filter((line) => line.includes('"level":"error"') && line.includes('"code":"engine_'));
}

async function problemOf(home: DoomedHome): Promise<unknown> {
  const { problem } = await home.json<{ problem: unknown }>('status');
  return problem;
}

describe.skipIf(!docker.available || isMissing('dockerd stopped', whyNoSecondEngine()))(
  'dockerd stopped and started again while containers run',
  () => {
    it.each([
      ['in order, its containers with it', false, 'SIGTERM'],
      ['by kill -9, its containers going on', true, 'SIGKILL'],
    ] as const)(
      '%s: messages are taken meanwhile, and all are answered',
      async (_how, live, signal) => {
        const random = Seeded.forTest();
        await using engine = new SecondEngine(live);
        await engine.start();
        if (docker.available) await engine.load(docker.image);
        await using home = homeWith('docker', { DOCKER_HOST: engine.dockerHost });
        const daemon = await home.runUntilReady();
        const settings = JSON.stringify({ retryBaseMs: 1_000 });
        await home.json('agent-groups', 'update', 'main', '--container-config', settings);
        const ledger = home.ledger();
        for (const chat of chats) ledger.say(chat);
        await ledger.untilOver();

        for (const chat of chats) ledger.say(chat, `!sleep ${random.between(100, 2_000)}`);
        await ledger.untilAccepted();
        await wait(random.next() * 500);
        await engine.end(signal);
        for (const chat of [...chats, 'new']) ledger.say(chat);
        await ledger.untilAccepted();
        await until(async () => {
          expect(await problemOf(home)).toMatch(/engine/i);
        });
        await engine.start();
        await ledger.untilOver();
        await until(async () => {
          expect(await problemOf(home)).toBeNull();
        });

        ledger.tellCounts();
        expect(daemon.isRunning).toBe(true);
        // Said when it is asked for its containers, and when it is to start one; each once.
        expect([1, 2]).toContain(listEngineErrors(home).length);
        expect(await engine.listRunning()).toHaveLength(chats.length + 1);
        expect(ledger.counts()).toMatchObject({ answered: ledger.entries.length });
        await expectKept(home, ledger);
      },
    );
  },
);
