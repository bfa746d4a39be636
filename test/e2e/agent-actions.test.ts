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

it('asks a person, takes the answer after a restart of both sides, and no second one', async () => {
  await using home = new BerthHome('process');
  await home.start();
  {
    await using wire = await home.wire();
    wire.say('!ask Which colour? | red | dark blue');
    await wire.until(() => wire.replies().length === 1);
  }
  const [session] = await home.json<{ id: string }[]>('sessions', 'list');
  await home.json('sessions', 'restart', session?.id ?? '');
  await home.crash();
  await home.start();
  await using wire = await home.wire();
  wire.subscribe('local');
  wire.say('what can I choose?');
  await wire.until(() => wire.replies().includes('echo: what can I choose?'));
  wire.say('2', { id: 'c-2' });
  await wire.until(() => wire.of('done').length === 2);
  expect(wire.replies()).toContain('me answered “Which colour?” with: dark blue');
  wire.say('2');
  await wire.until(() => wire.of('done').length === 3);
  expect(wire.replies()).toContain('echo: 2');
});

it('takes an answer that names its question, as a button does', async () => {
  await using home = new BerthHome('process');
  await home.start();
  await using wire = await home.wire();
  wire.say('!ask Which colour? | red | dark blue');
  await wire.until(() => wire.replies().length === 1);
  const { question } = wire.of('reply')[0] as unknown as {
    question: { id: string; options: readonly string[]; freeText: boolean };
  };
  expect(question).toMatchObject({ options: ['red', 'dark blue'], freeText: false });
  const answer = { type: 'answer', platformId: 'local', question: question.id };
  wire.send({ ...answer, text: 'green', id: 'c-1' });
  await wire.until(() => wire.of('error').length === 1);
  expect(wire.of('error')[0]).toMatchObject({
    id: 'c-1',
    message: 'that question has the answers red, dark blue',
  });
  wire.send({ ...answer, text: 'dark blue', id: 'c-2' });
  await wire.until(() => wire.of('done').length === 2);
  expect(wire.replies()).toContain('me answered “Which colour?” with: dark blue');
});

it('says in the chat that a question ends with the conversation that asked', async () => {
  await using home = new BerthHome('process');
  await home.start();
  await using wire = await home.wire();
  wire.say('!ask Shall I go on?');
  await wire.until(() => wire.replies().length === 1);
  const [session] = await home.json<{ id: string }[]>('sessions', 'list');
  await home.json('sessions', 'close', session?.id ?? '');
  await wire.until(() => wire.replies().length === 2);
  expect(wire.replies()[1]).toContain('needs no answer any more');
  wire.say('yes');
  await wire.until(() => wire.replies().includes('echo: yes'));
});
