/** Channels that are added, changed and ended while the daemon runs, as the rows of central.db say. */
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withDatabase } from '../../shared/base/sqlite/sqlite.js';
import { BerthHome } from '../fakes/berth-home.js';
import { TerminalWire } from '../fakes/terminal-wire.js';
import { until } from '../fakes/waiting.js';

interface Listed {
  readonly id: string;
  readonly state: string | null;
  readonly lastError: string | null;
}

async function untilStates(
  home: BerthHome,
  states: Readonly<Record<string, string>>,
): Promise<void> {
  await until(async () => {
    const listed = await home.json<Listed[]>('channels', 'list');
    expect(Object.fromEntries(listed.map(({ id, state }) => [id, state]))).toEqual(states);
  });
}

async function say(wire: TerminalWire, text: string): Promise<void> {
  const before = wire.of('done').length;
  wire.say(text);
  await wire.until(() => wire.of('done').length === before + 1);
}

it('a second terminal is added, moved, disabled and enabled without a restart, and its chats are its own', async () => {
  await using home = new BerthHome('process');
  await home.start();
  const pid = await home.pid();
  await using first = await home.wire();
  await say(first, 'on the first');
  const folder = join(home.home, 'shared');
  mkdirSync(folder, { mode: 0o755 });
  const path = join(folder, 'ops.sock');
  await home.json('channels', 'add', 'terminal', '--id', 'ops', '--set', `socketPath=${path}`);
  await untilStates(home, { terminal: 'running', ops: 'running' });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  // The folder is somebody else's: it stays as it is.
  expect(statSync(folder).mode & 0o777).toBe(0o755);
  {
    await using ops = await TerminalWire.open(path);
    await say(ops, 'on the second');
    expect(ops.replies()).toEqual(['echo: on the second']);
  }
  const chats = await home.json<{ channelType: string; platformId: string }[]>(
    'messaging-groups',
    'list',
  );
  expect(chats.map(({ channelType, platformId }) => `${channelType}:${platformId}`).sort()).toEqual(
    ['ops:local', 'terminal:local'],
  );
  await home.json('channels', 'set', 'ops', 'socketPath=elsewhere.sock');
  const elsewhere = join(home.home, 'data', 'elsewhere.sock');
  await until(() => {
    expect([existsSync(path), existsSync(elsewhere)]).toEqual([false, true]);
  });
  await untilStates(home, { terminal: 'running', ops: 'running' });
  {
    await using ops = await TerminalWire.open(elsewhere);
    // Nobody is there when the answer comes.
    ops.say('!sleep 1000 kept');
    await ops.until(() => ops.of('ack').length === 1);
  }
  await home.json('channels', 'disable', 'ops');
  await untilStates(home, { terminal: 'running', ops: 'disabled' });
  expect(existsSync(elsewhere)).toBe(false);
  const { stdout } = await home.berth('status');
  expect(stdout).toContain('terminal (running), ops (disabled)');
  expect((await home.berth('status', '--check')).exitCode).toBe(0);
  await until(() => {
    const due = home.central((db) =>
      db.prepare('SELECT count(*) FROM awaited_listeners').pluck().get(),
    );
    expect(due).toBe(1);
  });
  await home.json('channels', 'enable', 'ops');
  await untilStates(home, { terminal: 'running', ops: 'running' });
  {
    await using ops = await TerminalWire.open(elsewhere);
    ops.subscribe('local');
    await ops.until(() => ops.replies().length === 1);
    expect(ops.replies()).toEqual(['echo: kept']);
  }
  await say(first, 'still here');
  expect(first.replies()).toEqual(['echo: on the first', 'echo: still here']);
  expect(await home.pid()).toBe(pid);
  expect(await home.json('dead-letters', 'list')).toEqual([]);
});

it('a channel that cannot start says why, holds up no other, and starts when that is mended', async () => {
  await using home = new BerthHome('process');
  await home.start();
  await using wire = await home.wire();
  const path = join(home.home, 'in-the-way.sock');
  writeFileSync(path, 'precious');
  await home.json('channels', 'add', 'terminal', '--id', 'ops', '--set', `socketPath=${path}`);
  await untilStates(home, { terminal: 'running', ops: 'failed' });
  const [, ops] = await home.json<Listed[]>('channels', 'list');
  expect(ops?.lastError).toContain('is no socket');
  expect((await home.berth('status')).stdout).toContain('ops (');
  expect((await home.berth('status', '--check')).stdout).toContain('the channel ops does not run');
  await say(wire, 'meanwhile');
  expect(wire.replies()).toEqual(['echo: meanwhile']);
  // The socket of another channel is nobody's to take.
  await home.json('channels', 'set', 'ops', `socketPath=${home.socket}`);
  await until(async () => {
    const [, listed] = await home.json<Listed[]>('channels', 'list');
    expect(listed?.lastError).toContain('is the socket of the channel terminal');
  });
  await home.json('channels', 'add', 'terminal', '--id', 'third');
  await untilStates(home, { terminal: 'running', ops: 'failed', third: 'running' });
  const third = join(home.home, 'data', 'third.sock');
  await home.json('channels', 'set', 'ops', `socketPath=${third}`);
  await until(async () => {
    const [, listed] = await home.json<Listed[]>('channels', 'list');
    expect(listed?.lastError).toContain('Another program listens');
  });
  await home.json('channels', 'set', 'ops', '--unset', 'socketPath');
  await untilStates(home, { terminal: 'running', ops: 'running', third: 'running' });
  await say(wire, 'after all');
  expect(wire.replies()).toEqual(['echo: meanwhile', 'echo: after all']);
});

it('berth chat says what to do where the terminal is disabled, and goes on where it was just enabled', async () => {
  await using home = new BerthHome('process');
  await home.start();
  await home.json('channels', 'disable', 'terminal');
  await untilStates(home, { terminal: 'disabled' });
  const refused = await home.berth('chat', 'hello');
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toContain('berth channels enable terminal');
  await home.json('channels', 'enable', 'terminal');
  expect((await home.berth('chat', 'hello')).stdout).toBe('echo: hello');
});

it('a home of the version before is migrated, and its chats are the terminal’s', async () => {
  await using home = new BerthHome('process');
  await home.start();
  {
    await using wire = await home.wire();
    await say(wire, 'before');
  }
  await home.berth('stop');
  withDatabase(
    join(home.home, 'data', 'central.db'),
    { mode: 'write', busyTimeoutMs: 1_000 },
    (db) => {
      db.exec(
        `DROP TABLE channels; DELETE FROM schema_migrations WHERE name LIKE '%-channels.sql'`,
      );
    },
  );
  await home.start();
  await using wire = await home.wire();
  await say(wire, 'after');
  expect(wire.replies()).toEqual(['echo: after']);
  expect(await home.json('sessions', 'list')).toHaveLength(1);
  await untilStates(home, { terminal: 'running' });
});
