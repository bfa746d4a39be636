import { expect, it } from 'vitest';
import { BerthHome } from '../fakes/berth-home.js';

/** A time to come, to the second, as the command takes it. */
function inSeconds(seconds: number): string {
  return new Date(Math.ceil(Date.now() / 1_000 + seconds) * 1_000).toISOString();
}

async function wireChat(home: BerthHome): Promise<void> {
  await home.berth('messaging-groups', 'create', 'terminal:local');
  await home.berth('wirings', 'create', 'terminal:local', 'main');
}

it('does what was planned when its time comes, and says so in the chat', async () => {
  await using home = new BerthHome('process');
  await wireChat(home);
  await home.start();
  await using wire = await home.wire();
  wire.subscribe('local');
  const create = ['tasks', 'create', '--chat', 'terminal:local'];
  const at = inSeconds(12);
  const { id } = await home.json<{ id: string }>(...create, '--text', 'wake up', '--at', at);
  const series = [...create, '--text', 'again', '--every', '0 0 1 1 *', '--time-zone', 'UTC'];
  const other = await home.json<{ id: string; scheduledAt: string }>(...series);
  expect(other.scheduledAt).toMatch(/-01-01T00:00:00.000Z$/);
  expect(await home.json('tasks', 'list')).toMatchObject([{ id, dueAt: at }, { id: other.id }]);
  await wire.until(() => wire.replies().length === 1);
  const lateMs = Date.now() - Date.parse(at);
  expect(lateMs).toBeGreaterThanOrEqual(0);
  expect(lateMs).toBeLessThan(5_000);
  expect(wire.replies()).toEqual(['echo: wake up']);
  await expect.poll(() => home.json('tasks', 'list')).toMatchObject([{ id: other.id }]);
  expect(await home.json('tasks', 'cancel', other.id)).toMatchObject({ runGoesOn: false });
  expect(await home.json('tasks', 'list')).toEqual([]);
});

it('makes up once for what was missed while no daemon ran', async () => {
  await using home = new BerthHome('process');
  await wireChat(home);
  const at = inSeconds(6);
  const create = ['tasks', 'create', '--chat', 'terminal:local', '--text', 'missed', '--at', at];
  expect(await home.json(...create)).toMatchObject({ waitsForDaemon: true });
  await expect.poll(() => Date.now()).toBeGreaterThan(Date.parse(at));
  await home.start();
  await using wire = await home.wire();
  wire.subscribe('local');
  await wire.until(() => wire.replies().length === 1);
  wire.say('and now?');
  await wire.until(() => wire.replies().length === 2);
  expect(wire.replies()).toEqual(['echo: missed', 'echo: and now?']);
});
