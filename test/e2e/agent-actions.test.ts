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

it('asks another agent, and tells the chat what that one answered', async () => {
  await using home = new BerthHome('process');
  await home.start();
  await home.json('agent-groups', 'create', 'Helper', '--folder', 'helper');
  await home.json('destinations', 'add', 'main', 'helper', '--agent', 'helper');
  await home.json('agent-groups', 'update', 'helper', '--set', 'tries=1');
  await using wire = await home.wire();
  wire.say('!send helper what is new');
  await wire.until(() => wire.replies().length === 1);
  // The helper has said back what it was asked, and so has the one that asked.
  expect(wire.replies()).toEqual(['echo: echo: what is new']);
  wire.say('!send helper !fail');
  await wire.until(() => wire.replies().some((text) => text.includes('could not be handled')));
  const sessions = await home.json<{ chat: string | null; agentGroup: string }[]>(
    'sessions',
    'list',
  );
  expect(sessions.map(({ agentGroup }) => agentGroup).sort()).toEqual(['helper', 'main']);
  expect(sessions.find(({ agentGroup }) => agentGroup === 'helper')?.chat).toMatch(/^agent:s-/);
});
