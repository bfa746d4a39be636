/** Asks a daemon that runs, and the home of one that does not, what happened and what is waited for. */
import { expect, it } from 'vitest';
import type { Explanation } from '../../host/operations/explanation.js';
import type { ToldEvent } from '../../host/operations/sessions.js';
import { BerthHome } from '../fakes/berth-home.js';
import { until } from '../fakes/waiting.js';

it('tells a message’s way, from the chat that nobody answers to a daemon that is away', async () => {
  await using home = new BerthHome('process');
  await home.start();
  await using wire = await home.wire();
  wire.say('hello');
  await wire.until(() => wire.of('done').length === 1);
  const [session] = await home.json<{ id: string }[]>('sessions', 'list');
  const id = session?.id ?? '';
  const names = async (): Promise<readonly string[]> =>
    (await home.json<ToldEvent[]>('sessions', 'events', id)).map(({ name }) => name);
  expect(await names()).toEqual(['session.created', 'session.woken', 'container.started']);

  const answered = String(wire.of('ack')[0]?.['messageId']);
  const done = await home.json<Explanation>('explain', answered);
  expect(done.now[0]?.what).toBe('main has answered it, or had nothing to say.');

  // Nobody answers the chat any more.
  const [wiring] = await home.json<{ id: string }[]>('wirings', 'list');
  await home.berth('wirings', 'delete', wiring?.id ?? '');
  wire.say('is anybody there?');
  await wire.until(() => wire.of('error').length + wire.of('ack').length === 2);
  const chat = await home.json<Explanation>('explain', 'terminal:local');
  expect(chat.now[0]?.what).toContain('No agent is wired to it');
  const refused = chat.happened.at(-1)?.what ?? '';
  expect(refused).toMatch(/^m-\w+: no agent is wired to this chat\.$/);
  const lost = await home.json<Explanation>('explain', refused.split(':')[0] ?? '');
  expect(lost.now[0]?.next).toContain('berth wirings create terminal:local');

  await home.berth('wirings', 'create', 'terminal:local', 'main');
  wire.say('!sleep 60000 slow');
  await until(async () => {
    const working = await home.json<Explanation>('explain', id);
    expect(working.now[0]?.what).toBe('1 message waits for the agent, whose container runs.');
  });
  await home.berth('stop');
  const away = await home.json<Explanation>('explain', id);
  expect(away.now[0]).toMatchObject({
    what: '1 message waits, and no daemon runs.',
    next: '`berth start --detach` starts it.',
  });
  expect((await names()).slice(3)).toContain('container.ended');
});
