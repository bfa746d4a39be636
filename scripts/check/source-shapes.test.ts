import { describe, expect, it } from 'vitest';
import { keysOf, readSourceFacts, type Source } from './source-shapes.js';

const files = {
  'host/door.ts': 'export function open(name: string): string {\n  return name;\n}\n',
  'host/room.ts': "import { open } from './door.js';\nexport const room: string = open('a');\n",
  'host/main.ts': "import { room } from './room.js';\nroom.trim();\n",
  'host/alone.ts': 'export const alone: number = 1;\n',
};
const all = Object.keys(files);

function keys(change: Record<string, string> = {}, common = 'v1', other = 'other') {
  const sources = new Map(
    Object.entries({ ...files, ...change }).map(([path, text]): [string, Source] => [
      path,
      { ...readSourceFacts(path, text), textHash: text },
    ]),
  );
  return keysOf(sources, common, () => other);
}

/** The files whose key another state of the tree changes. */
function touched(...state: Parameters<typeof keys>): readonly string[] {
  const [before, after] = [keys(), keys(...state)];
  return all.filter((path) => before.get(path) !== after.get(path));
}

describe('a file is linted again', () => {
  it('alone when only what its functions do has changed', () => {
    const text = 'export function open(name: string): string {\n  return name + name;\n}\n';
    expect(touched({ 'host/door.ts': text })).toEqual(['host/door.ts']);
  });

  it('with all that import it, however far away, when what they see of it has changed', () => {
    const text =
      'export function open(name: string): Promise<string> {\n  return Promise.resolve(name);\n}\n';
    expect(touched({ 'host/door.ts': text })).toEqual([
      'host/door.ts',
      'host/room.ts',
      'host/main.ts',
    ]);
  });

  it('with all that import it when it became deprecated', () => {
    const text = `/** @deprecated Use close. */\n${files['host/door.ts']}`;
    expect(touched({ 'host/door.ts': text })).toContain('host/main.ts');
  });

  it('with all that import it on any change where its types are inferred from elsewhere', () => {
    const inferred = "import { alone } from './alone.js';\nexport const open = () => alone;\n";
    const before = keys({ 'host/door.ts': inferred });
    const after = keys({ 'host/door.ts': inferred.replace('=> alone', '=> alone + 1') });
    expect(after.get('host/main.ts')).not.toBe(before.get('host/main.ts'));
  });

  it('when a file that it imports comes to be', () => {
    const room = "import { late } from './late.js';\nexport const room: string = late;\n";
    const before = keys({ 'host/room.ts': room });
    const after = keys({
      'host/room.ts': room,
      'host/late.ts': "export const late: string = 'l';\n",
    });
    expect(after.get('host/room.ts')).not.toBe(before.get('host/room.ts'));
  });

  it('when an imported file that is no source has changed', () => {
    const room = "import data from './data.json';\nexport const room: string = data;\n";
    const [before, after] = [
      keys({ 'host/room.ts': room }, 'v1', 'a'),
      keys({ 'host/room.ts': room }, 'v1', 'b'),
    ];
    expect(after.get('host/main.ts')).not.toBe(before.get('host/main.ts'));
    expect(after.get('host/alone.ts')).toBe(before.get('host/alone.ts'));
  });

  it('with all others when it declares something for every file', () => {
    const text = `${files['host/alone.ts']}declare global {\n  var everywhere: number;\n}\n`;
    expect(touched({ 'host/alone.ts': text })).toEqual(all);
  });

  it('with all others when the tools or their configuration have changed', () => {
    expect(touched({}, 'v2')).toEqual(all);
  });
});

it('does not go round for ever in a circle of imports', () => {
  const circle = {
    'host/door.ts': "import type { room } from './room.js';\nexport type Open = typeof room;\n",
  };
  expect(keys(circle).get('host/door.ts')).toBeDefined();
});
