import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { BerthHome } from '../fakes/berth-home.js';
import { RawTerminal } from '../fakes/raw-terminal.js';
import { until } from '../fakes/waiting.js';

function limitDescriptors(pid: number, count: string): void {
  execFileSync('prlimit', [`--nofile=${count}`, '--pid', `${pid}`]);
}

function descriptorLimits(pid: number): string {
  const words = ['--nofile', '--output', 'SOFT,HARD', '--noheadings', '--raw', '--pid', `${pid}`];
  return execFileSync('prlimit', words, { encoding: 'utf8' }).trim().replace(/\s+/, ':');
}

function shortageOf(home: BerthHome): string | null {
  const json = home.central((db) =>
    db.prepare(`SELECT value FROM daemon_state WHERE key = 'daemon'`).pluck().get(),
  );
  return (JSON.parse(String(json)) as { shortage: string | null }).shortage;
}

function message(platformId: string, id: string): object {
  return { type: 'message', platformId, threadId: null, sender: 'me', text: id, id };
}

it('quarantines nothing while the daemon has no file descriptor left, says so, and goes on afterwards', async () => {
  await using home = new BerthHome('process');
  await home.start();
  const pid = await home.pid();
  const limits = descriptorLimits(pid);
  const terminal = await RawTerminal.connect(home.socket);
  const chats = ['one', 'two', 'three'];
  for (const chat of chats) terminal.write(message(chat, `${chat}-before`));
  await terminal.waitFor('done', chats.length);

  limitDescriptors(pid, `8:${limits.split(':')[1] ?? ''}`);
  try {
    await until(() => {
      for (const chat of chats) terminal.write(message(chat, `${chat}-${terminal.lines.length}`));
      expect(shortageOf(home)).toContain('short of file descriptors');
    });
    const untilMs = Date.now() + 2_000;
    for (let round = 0; Date.now() < untilMs; round += 1) {
      const known = terminal.lines.length;
      for (const chat of chats) terminal.write(message(chat, `${chat}-short-${round}`));
      await until(() => {
        expect(terminal.lines.length).toBeGreaterThanOrEqual(known + chats.length);
      });
    }
  } finally {
    limitDescriptors(pid, limits);
  }
  const refusals = await terminal.waitFor('error');
  expect(refusals[0]).toMatchObject({
    code: 'resources_short',
    next: expect.stringContaining('Try again') as string,
  });
  const done = terminal.lines.filter(({ type }) => type === 'done').length;
  for (const chat of chats) terminal.write(message(chat, `${chat}-after`));
  await terminal.waitFor('done', done + chats.length);
  await until(() => {
    expect(
      terminal.lines.filter(({ text }) => String(text).includes('-after')).length,
    ).toBeGreaterThanOrEqual(chats.length);
  });
  const sessions = await home.json<{ status: string }[]>('sessions', 'list');
  expect(sessions.map(({ status }) => status).filter((status) => status !== 'warm')).toEqual(
    chats.map(() => 'active'),
  );
  expect(JSON.stringify(terminal.lines)).not.toContain('begins afresh');
  await until(() => {
    expect(shortageOf(home)).toBeNull();
  });
  await terminal.close();
});

it('keeps file descriptors for messages, however many idle clients connect', async () => {
  await using home = new BerthHome('process');
  home.startThrough('prlimit', '--nofile=512');
  await home.start();
  home.startThrough();
  const first = await RawTerminal.connect(home.socket);
  const idle: RawTerminal[] = [];
  for (let count = 0; count < 200; count += 1) idle.push(await RawTerminal.connect(home.socket));
  await until(() => {
    expect(idle.filter(({ socket }) => socket.closed).length).toBeGreaterThan(60);
    expect(idle.at(-1)?.lines).toMatchObject([{ type: 'error', code: 'too_many_clients' }]);
  });
  first.write(message('one', 'm-1'));
  await first.waitFor('done');
  expect(shortageOf(home)).toBeNull();
  for (const terminal of [first, ...idle]) await terminal.close();
});
