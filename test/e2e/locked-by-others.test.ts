import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BerthHome } from '../fakes/berth-home.js';
import { LockKeeper } from '../fakes/lock-keeper.js';
import { RawTerminal } from '../fakes/raw-terminal.js';

function containersOf(home: BerthHome, sessionId: string): readonly string[] {
  const folder = join(home.home, 'data', 'processes');
  const records = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => readFileSync(join(folder, name), 'utf8'));
  return records
    .map((text) => JSON.parse(text) as { containerId: string; owner: { sessionId: string } })
    .filter(({ owner }) => owner.sessionId === sessionId)
    .map(({ containerId }) => containerId);
}

it('tells who holds a lock on a conversation, ends no container for it, and goes on afterwards', async () => {
  await using home = new BerthHome('process');
  await home.start();
  const terminal = await RawTerminal.connect(home.socket);
  const say = (id: string): void => {
    const message = { type: 'message', platformId: 'a', threadId: null, sender: 'me' };
    terminal.write({ ...message, text: id, id });
  };
  say('m-1');
  await terminal.waitFor('done');
  const sessions = await home.json<{ id: string; status: string }[]>('sessions', 'list');
  const sessionId = sessions.find(({ status }) => status === 'active')?.id ?? '';
  const before = containersOf(home, sessionId);
  {
    await using keeper = await LockKeeper.hold(join(home.sessionDir(sessionId), 'in/inbound.db'));
    say('m-2');
    expect(await terminal.waitFor('error')).toMatchObject([
      {
        code: 'database_busy',
        id: 'm-2',
        message: `Another program (pid ${keeper.pid}, node) holds inbound.db of this conversation.`,
        next: expect.stringContaining('send the message again') as string,
      },
    ]);
  }
  say('m-2');
  await terminal.waitFor('done', 2);
  expect(before).toHaveLength(1);
  expect(containersOf(home, sessionId)).toEqual(before);
  await terminal.close();
});
