import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { isOfGroup, signalGroup } from './process-identity.js';

it('knows which processes a runner has started', async () => {
  const script = 'sleep 60 & echo $!; wait';
  const child = spawn('/bin/sh', ['-c', script], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const leader = child.pid ?? 0;
  const ended = once(child, 'exit');
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const grandchild = Number(line.toString());
    expect(await isOfGroup(leader, leader)).toBe(true);
    expect(await isOfGroup(grandchild, leader)).toBe(true);
    expect(await isOfGroup(process.pid, leader)).toBe(false);
    expect(await isOfGroup(2 ** 22 + 1, leader)).toBe(false);
  } finally {
    signalGroup(leader, 'SIGKILL');
    await ended;
  }
});
