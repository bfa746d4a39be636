/** What a provider is given: options, notes that outlive its container, and a daemon of another version than its runner. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BerthHome } from '../fakes/berth-home.js';
import type { TerminalWire } from '../fakes/terminal-wire.js';
import { until } from '../fakes/waiting.js';

interface Session {
  readonly id: string;
}

async function ask(wire: TerminalWire, text: string): Promise<string | undefined> {
  const before = wire.replies().length;
  wire.say(text);
  await wire.until(() => wire.replies().length === before + 1);
  return wire.replies().at(-1);
}

/** The daemon follows a change within a second. */
async function untilAnswer(wire: TerminalWire, text: string, answer: string): Promise<void> {
  await until(async () => {
    expect(await ask(wire, text)).toBe(answer);
  });
}

async function sessionOf(home: BerthHome): Promise<string> {
  const [session] = await home.json<Session[]>('sessions', 'list');
  return session?.id ?? '';
}

it('remembers across a restart of its container, and forgets when it is told to', async () => {
  await using home = new BerthHome('process');
  await home.start();
  await using wire = await home.wire();
  expect(await ask(wire, '!remember color dark blue')).toBe('echo: dark blue');
  const restarted = await home.json('sessions', 'restart', await sessionOf(home));
  expect(restarted).toMatchObject({ hadContainer: true });
  expect(await ask(wire, '!recall color')).toBe('echo: dark blue');
  await ask(wire, '!forget color');
  expect(await ask(wire, '!recall color')).toBe('I remember nothing of color.');
});

it('takes its options from its agent group, while it runs, and names the one that is wrong', async () => {
  await using home = new BerthHome('process');
  await home.start();
  await using wire = await home.wire();
  expect(await ask(wire, 'hi')).toBe('echo: hi');
  const update = ['agent-groups', 'update', 'main'];
  await home.json(...update, '--set', 'providerOptions.prefix=said');
  await untilAnswer(wire, 'hi', 'saidhi');
  for (const [option, why] of [
    ['volume=11', 'it cannot have "volume"'],
    ['prefix=7', 'prefix must be text'],
  ]) {
    const refused = await home.berth(...update, '--set', `providerOptions.${option ?? ''}`);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain(why);
  }
  await home.json(...update, '--unset', 'providerOptions.prefix');
  await untilAnswer(wire, 'hi', 'echo: hi');
  const path = join(home.sessionDir(await sessionOf(home)), 'in', 'runner.json');
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({
    protocol: 2,
    provider: { name: 'echo', options: {} },
  });
});

it('a runner that a daemon of before started goes on with this one', async () => {
  await using home = new BerthHome('process');
  await home.start();
  {
    await using wire = await home.wire();
    await ask(wire, '!remember color blue');
    wire.say('!sleep 1500 slow');
    await wire.until(() => wire.of('ack').length === 2);
  }
  const id = await sessionOf(home);
  await home.crash();
  asOfBefore(home, id);
  await home.start();
  await using wire = await home.wire();
  wire.subscribe('local');
  await wire.until(() => wire.replies().length === 1);
  expect(wire.replies()).toEqual(['echo: slow']);
  expect(await ask(wire, '!recall color')).toBe('echo: blue');
  expect(await home.json('dead-letters', 'list')).toEqual([]);
});

/** As a daemon of before wrote its runner's settings, and noted what it had started it with. */
function asOfBefore(home: BerthHome, sessionId: string): void {
  const settings = join(home.sessionDir(sessionId), 'in', 'runner.json');
  const known = JSON.parse(readFileSync(settings, 'utf8')) as object;
  writeFileSync(settings, JSON.stringify({ ...known, protocol: 1, provider: 'echo' }));
  const folder = join(home.home, 'data', 'processes');
  for (const name of readdirSync(folder).filter((it) => it.endsWith('.json'))) {
    const path = join(folder, name);
    const record = JSON.parse(readFileSync(path, 'utf8')) as { readonly fingerprint: string };
    const fingerprint = record.fingerprint
      .replace(/ image=\S+/, ' image=runner%3A0123456789ab')
      .replace(/ runner=\S+/, ' runner=0123456789ab');
    writeFileSync(path, JSON.stringify({ ...record, fingerprint }));
  }
}
