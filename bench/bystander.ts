/** Whether one agent that means harm is felt by anybody else. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { delay } from '../shared/base/lifecycle.js';
import type { TerminalWire } from '../test/fakes/terminal-wire.js';
import { attempts, type NamedAttempt, type Victim } from '../test/faults/hostile/attempts.js';
import type { BenchHome } from './bench-home.js';
import { Chat } from './chat.js';
import { atMost, type Goal, type Measure } from './measure.js';
import { summarize } from './statistics.js';
import type { Workbench } from './workbench.js';

const messagesPerBlock = 200;
const rounds = 2;
/** The attempt is made anew after so many messages: what was repaired is to be hostile again. */
const messagesPerAttempt = 50;
/** An answer that takes longer counts as this, and ends the block. */
const patienceMs = 5_000;

export const bystander: Measure = {
  name: 'bystander',
  title: 'warm message → reply while another chat’s agent means harm',
  method: `For each of ${attempts.length} attempts (${attempts.map(({ name }) => name).join(', ')}) a daemon of its own with two chats; ${rounds} quiet blocks of ${messagesPerBlock} messages to the one take turns with blocks in which the other’s files are attacked, again after every ${messagesPerAttempt} messages. An answer later than ${patienceMs / 1_000} s counts as that and ends it. The longest hold of the loop is the daemon’s own word. Spread: of all attacked blocks.`,
  target: 'p95 ≤ 2 × quiet; loop held ≤ 50 ms',
  run: async (bench) => {
    const outcomes: Outcome[] = [];
    for (const attempt of attempts) outcomes.push(await measureAttempt(bench, attempt));
    return {
      spread: summarize(outcomes.flatMap(({ attacked }) => attacked)),
      goals: outcomes.flatMap(goalsOf),
      remarks: outcomes.map(describeOutcome),
    };
  },
};

interface Outcome {
  readonly name: string;
  readonly quiet: readonly number[];
  readonly attacked: readonly number[];
  readonly longestHoldMs: number;
}

function goalsOf({ name, quiet, attacked, longestHoldMs }: Outcome): readonly Goal[] {
  const ratio = summarize(attacked).p95 / summarize(quiet).p95;
  return [
    atMost(`${name}: p95 against quiet`, ratio, 2, ''),
    atMost(`${name}: loop held`, longestHoldMs, 50, 'ms'),
  ];
}

function describeOutcome({ name, quiet, attacked }: Outcome): string {
  const [calm, harmed] = [summarize(quiet), summarize(attacked)];
  const unanswered = attacked.some((ms) => ms >= patienceMs) ? ', then no answer' : '';
  return `${name}: p95 ${harmed.p95.toFixed(1)} ms of ${harmed.count}${unanswered}; quiet ${calm.p95.toFixed(1)} ms of ${calm.count}`;
}

async function measureAttempt(bench: Workbench, attempt: NamedAttempt): Promise<Outcome> {
  await using home = bench.home();
  await home.start();
  await using wire = await home.wire();
  // The victim has a connection of its own: what it is told is nobody's answer.
  await using other = await home.wire();
  await new Chat(other, 'victim').warmUp();
  const chat = new Chat(wire, 'bystander');
  await chat.warmUp();
  const victim = victimIn(home);
  const quiet: number[] = [];
  const attacked: number[] = [];
  try {
    for (let round = 0; round < rounds && !isLate(attacked); round += 1) {
      await runBlock(chat, `quiet ${round}`, quiet);
      await attack(attempt, victim, other, chat, attacked);
    }
    return { name: attempt.name, quiet, attacked, longestHoldMs: await longestHold(home) };
  } finally {
    await endIfHung(home, victim, attacked);
  }
}

function victimIn(home: BenchHome): Victim {
  const secretFile = join(home.home, 'secret');
  writeFileSync(secretFile, 'only the host may read this');
  const outDir = join(home.sessionDir(home.sessionOf('victim')), 'out');
  return { outDir, platformId: 'victim', secretFile };
}

function isLate(times: readonly number[]): boolean {
  return times.some((ms) => ms >= patienceMs);
}

async function attack(
  attempt: NamedAttempt,
  victim: Victim,
  other: TerminalWire,
  chat: Chat,
  times: number[],
): Promise<void> {
  for (let at = 0; at < messagesPerBlock && !isLate(times); at += messagesPerAttempt) {
    // A session that was quarantined or ended has no files to attack any more.
    const running = await attempt.begin(victim).catch(() => undefined);
    other.say('are you there', { platformId: victim.platformId });
    await runBlock(chat, `attacked ${at}`, times, messagesPerAttempt);
    await running?.[Symbol.asyncDispose]();
  }
}

async function runBlock(
  chat: Chat,
  name: string,
  times: number[],
  count = messagesPerBlock,
): Promise<void> {
  for (let i = 0; i < count && !isLate(times); i += 1) {
    const late = delay(patienceMs).then(() => patienceMs);
    times.push(await Promise.race([chat.exchange(`${name} ${i}`), late]));
  }
}

/** A daemon that does not answer is held for at least as long as it was waited for. */
async function longestHold(home: BenchHome): Promise<number> {
  const { loopDelay } = await home.status().catch(() => ({ loopDelay: undefined }));
  return loopDelay?.longestMs ?? patienceMs;
}

/** A daemon that hangs takes no request to stop, and the next one must not hang on the same file. */
async function endIfHung(
  home: BenchHome,
  { outDir }: Victim,
  times: readonly number[],
): Promise<void> {
  rmSync(join(outDir, 'outbound.db'), { force: true });
  if (!isLate(times)) return;
  const { pid } = await home.status().catch(() => ({ pid: undefined }));
  if (pid === undefined) return;
  await home.crash(pid);
  await home.start();
}
