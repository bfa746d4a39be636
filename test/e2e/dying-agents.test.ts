import { expect, it } from 'vitest';
import { BerthHome } from '../fakes/berth-home.js';

it('answers what waits behind messages that end its container, however many', async () => {
  await using home = new BerthHome('process');
  await home.start();
  const config = '{"retryBaseMs":100}';
  await home.berth('agent-groups', 'update', 'main', '--container-config', config);
  await using wire = await home.wire();
  for (let n = 0; n < 3; n += 1) wire.say('!exit 1');
  for (let n = 0; n < 4; n += 1) wire.say(`ordinary ${n}`);
  await wire.until(() => wire.of('done').length === 7);
  const answers = wire.replies().filter((text) => text.startsWith('echo: '));
  expect(answers).toEqual([0, 1, 2, 3].map((n) => `echo: ordinary ${n}`));
  const letters = await home.json<{ reason: string }[]>('dead-letters', 'list');
  expect(letters).toHaveLength(3);
});
