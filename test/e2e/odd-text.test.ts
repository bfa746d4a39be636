import { expect, it } from 'vitest';
import { BerthHome } from '../fakes/berth-home.js';

it('refuses names that hold half a character with a sentence, and makes such a text well-formed', async () => {
  await using home = new BerthHome('process');
  await home.start();
  await using wire = await home.wire();
  const raw = (line: string): void => {
    wire.sendRaw(`${line}\n`);
  };
  raw('{"type":"message","platformId":"\\ud83d","text":"hi","id":"one"}');
  raw('{"type":"message","platformId":"local","threadId":"\\ud83d","text":"hi","id":"two"}');
  raw('{"type":"subscribe","platformId":"\\udc4d"}');
  raw('{"type":"message","platformId":"local","text":"half \\ud83d of it","id":"three"}');
  await wire.until(() => wire.replies().length === 1);
  expect(wire.replies()).toEqual(['echo: half \ufffd of it']);
  expect(wire.of('ack').map(({ id }) => id)).toEqual(['three']);
  const errors = wire.of('error');
  expect(errors.map(({ id }) => id)).toEqual(['one', 'two', undefined]);
  for (const error of errors) expect(error['message']).toContain('half a character');
  const kept = await home.json<{ id: string }[]>('sessions', 'list');
  expect(kept).toHaveLength(1);
  const said = await home.berth('sessions', 'messages', kept[0]?.id ?? '', '--json');
  expect(said.stdout).toContain('half \ufffd of it');
  expect(said.stdout).not.toContain('ud83d');
});

it('takes two spellings of a chat for one, and names of JavaScript’s own for any other', async () => {
  await using home = new BerthHome('process');
  await home.start();
  for (const chat of ['B\u00fcro', 'Bu\u0308ro', '__proto__', 'constructor']) {
    const { stdout } = await home.berth('chat', '--chat', chat, '--thread', '__proto__', 'hello');
    expect(stdout).toBe('echo: hello');
  }
  const sessions = await home.json<{ chat: string }[]>('sessions', 'list');
  expect(sessions.map(({ chat }) => chat).sort()).toEqual([
    'terminal:B\u00fcro',
    'terminal:__proto__',
    'terminal:constructor',
  ]);
  const shown = await home.berth('messaging-groups', 'show', 'terminal:Bu\u0308ro');
  expect(shown.exitCode).toBe(0);
  const hidden = await home.berth('chat', '--chat', 'ad\u200bmin', 'hello');
  expect(hidden).toMatchObject({ exitCode: 2 });
  expect(hidden.stderr).toContain('characters that nobody sees');
});
