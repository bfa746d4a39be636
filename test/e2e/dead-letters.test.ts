import { expect, it } from 'vitest';
import { BerthHome } from '../fakes/berth-home.js';

interface Letter {
  readonly messageId: string;
  readonly sessionId: string;
  readonly reason: string;
}

it('tells again what was given up, tried again and given up again', async () => {
  await using home = new BerthHome('process');
  await home.start();
  await home.berth('agent-groups', 'update', 'main', '--container-config', '{"tries":1}');
  await using wire = await home.wire();
  wire.say('!fail');
  await wire.until(() => wire.of('done').length === 1 && wire.replies().length === 1);
  const [letter] = await home.json<Letter[]>('dead-letters', 'list');
  expect(letter?.reason).toContain('asked to fail');
  const shown = await home.berth('dead-letters', 'show', letter?.messageId ?? '');
  expect(shown.stdout).toContain('Text\n  !fail');
  const retried = await home.json<object[]>('dead-letters', 'retry', '--all');
  expect(retried).toMatchObject([{ outcome: 'retried' }]);
  await wire.until(() => wire.replies().length === 2);
  for (const reply of wire.replies()) expect(reply).toContain('could not be handled');
  expect(await home.json('dead-letters', 'list')).toMatchObject([{ messageId: letter?.messageId }]);
  await home.berth('dead-letters', 'purge', '--all');
  expect(await home.json('dead-letters', 'list')).toEqual([]);
});

it('answers in their order what was given up with a closed session', async () => {
  await using home = new BerthHome('process');
  await home.start();
  await using wire = await home.wire();
  const words = ['first', 'second', 'third', 'fourth', 'fifth'];
  for (const word of words) wire.say(`!sleep 400 ${word}`);
  await wire.until(() => wire.of('ack').length === words.length);
  const [session] = await home.json<{ id: string }[]>('sessions', 'list');
  await home.berth('sessions', 'close', session?.id ?? '');
  await wire.until(() => wire.of('done').length === words.length);
  const answered = echoesOf(wire.replies());
  await home.berth('dead-letters', 'retry', '--all');
  await wire.until(() => echoesOf(wire.replies()).length === words.length);
  expect(echoesOf(wire.replies())).toEqual([
    ...answered,
    ...words.map((word) => `echo: ${word}`).filter((echo) => !answered.includes(echo)),
  ]);
});

function echoesOf(replies: readonly string[]): readonly string[] {
  return replies.filter((text) => text.startsWith('echo: '));
}

it('answers in the present session what was given up with a closed one, also after a restart', async () => {
  await using home = new BerthHome('process');
  await home.start();
  const wire = await home.wire();
  wire.say('!sleep 60000 a');
  wire.say('hello', { id: 'hello' });
  await wire.until(() => wire.of('ack').length === 2);
  const [session] = await home.json<{ id: string }[]>('sessions', 'list');
  await home.berth('sessions', 'close', session?.id ?? '');
  await wire.until(() => wire.of('done').length === 2);
  await wire[Symbol.asyncDispose]();
  const letters = await home.json<Letter[]>('dead-letters', 'list', '--direction', 'in');
  const shown = await Promise.all(
    letters.map(({ messageId }) => home.json('dead-letters', 'show', messageId)),
  );
  const hello = shown.find(({ message }) => (message as { text: string }).text === 'hello');
  await home.berth('stop');
  const asked = await home.json('dead-letters', 'retry', String(hello?.['messageId']));
  expect(asked).toMatchObject([{ outcome: 'waiting' }]);
  await home.start();
  await using later = await home.wire();
  later.subscribe('local');
  await later.until(() => later.replies().includes('echo: hello'));
  expect(await home.json('dead-letters', 'list')).toHaveLength(1);
});
