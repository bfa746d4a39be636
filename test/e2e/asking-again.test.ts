import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withDatabase } from '../../shared/base/sqlite/sqlite.js';
import { BerthHome } from '../fakes/berth-home.js';
import { until } from '../fakes/waiting.js';

it('tells who asks again what was answered meanwhile, and only then that it is done', async () => {
  await using home = new BerthHome('process');
  await home.start();
  const pid = await home.pid();
  const before = await home.wire();
  before.say('warm up');
  await before.until(() => before.of('done').length === 1);
  before.say('!sleep 300 late', { id: 'asked' });
  await before.until(() => before.of('ack').length === 2);
  await home.crash(pid);
  await before[Symbol.asyncDispose]();
  await home.start();
  const [session] = await home.json<{ id: string }[]>('sessions', 'list');
  const path = join(home.home, 'data', 'sessions', session!.id, 'in', 'inbound.db');
  // It is answered and settled while nobody listens.
  await until(() => {
    const status = withDatabase(path, { mode: 'write', busyTimeoutMs: 1_000 }, (db) =>
      db.prepare('SELECT status FROM messages_in ORDER BY seq DESC').pluck().get(),
    );
    expect(status).toBe('completed');
  });
  await using after = await home.wire();
  after.say('!sleep 300 late', { id: 'asked' });
  await after.until(() => after.of('done').length === 1);
  const types = after.lines.map(({ type }) => type);
  expect(types.indexOf('reply')).toBeGreaterThanOrEqual(0);
  expect(types.indexOf('reply')).toBeLessThan(types.indexOf('done'));
  expect(after.replies()).toEqual(['echo: late']);
});
