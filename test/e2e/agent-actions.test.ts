/** Checks what agents do of their own accord, from their row in outbound.db to the chat. */
import { expect, it } from 'vitest';
import { BerthHome } from '../fakes/berth-home.js';

it('sends a reply at its time and not before, also where the daemon was killed meanwhile', async () => {
  await using home = new BerthHome('process');
  await home.start();
  const beganAt = Date.now();
  {
    await using wire = await home.wire();
    wire.say('!later 4 good night');
    await wire.until(() => wire.of('done').length === 1);
    expect(wire.replies()).toEqual([]);
  }
  await home.crash();
  await home.start();
  await using wire = await home.wire();
  wire.subscribe('local');
  await wire.until(() => wire.replies().length > 0);
  expect(Date.now() - beganAt).toBeGreaterThanOrEqual(4_000);
  expect(wire.replies()).toEqual(['good night']);
});
