import { describe, expect, it } from 'vitest';
import { checkWords, type AllowedWord, type WordReport } from './words.js';

function check(text: string, path = 'host/a.ts', allowed: readonly AllowedWord[] = []): WordReport {
  return checkWords([{ path, text }], allowed);
}

function found(text: string, path?: string): readonly string[] {
  return check(text, path).findings.map(({ line, message }) => `${line} ${message}`);
}

describe('words that are no plain words', () => {
  it.each([
    ['a camelCase name', 'const nextLookAt = 1;\n'],
    ['a private name', 'class A {\n  #look = 1;\n}\n'],
    ['a comment', '/** Takes another look. */\n'],
    ['a comment of several lines', '// All is well,\n// as far as a look tells.\n'],
    ['a comment behind a statement', 'const a = 1; // A look.\n'],
  ])('are found in %s', (_, text) => {
    expect(found(text)).toEqual([expect.stringContaining('“look”: say pass or poll')]);
  });

  it('are found in the name of a file', () => {
    expect(found('', 'host/first-look.ts')).toEqual([expect.stringMatching(/^1 “look”/)]);
  });

  it('are named with their line', () => {
    expect(found('const a = 1;\nconst desk = 2;\n')).toEqual(['2 “desk”: say handler']);
  });

  it.each([
    ['a part of another word', 'const overlooked = amendment;\n'],
    ['a string, which may be stored', "const status = 'set-aside';\n"],
    ['what only looks like a comment', 'const a = `// a look ${1} /* at a desk */`;\n'],
    ['a regular expression', 'const a = /\\/* look *\\//;\n'],
  ])('are not found in %s', (_, text) => {
    expect(found(text)).toEqual([]);
  });

  it('may be pictures in a comment, but no names', () => {
    expect(found('/** A message waits at the door of the room, and is warm. */\n')).toEqual([]);
    expect(found('const warmRoom = 1;\n')).toHaveLength(2);
  });

  it('are let through where the allow list has them, and only there', () => {
    const allowed = [{ path: 'host/a.ts', word: 'look', reason: 'A test.' }];
    expect(check('const look = 1;\n', 'host/a.ts', allowed).findings).toEqual([]);
    expect(check('const look = 1;\n', 'host/b.ts', allowed).findings).toHaveLength(1);
  });

  it('are missed where the allow list has them for nothing', () => {
    const entry = { path: 'host/a.ts', word: 'look', reason: 'A test.' };
    expect(check('const a = 1;\n', 'host/a.ts', [entry]).unused).toEqual([entry]);
  });
});

describe('the beginning of a comment sentence', () => {
  it.each(['What is read.', 'Who waits.', 'Whoever waits.', 'One page.', 'Somebody waits.'])(
    'is not as in %j',
    (sentence) => {
      const message = `begin otherwise: ${sentence}`;
      expect(found(`/** ${sentence} */\n`)).toEqual([`1 ${message}`]);
      expect(found(`/**\n * Reads it.\n * ${sentence}\n */\n`)).toEqual([`3 ${message}`]);
      expect(found(`// Reads it. ${sentence}\n`)).toEqual([`1 ${message}`]);
      expect(found(`/**\n * Reads:\n * - ${sentence}\n */\n`)).toEqual([`3 ${message}`]);
    },
  );

  it('may be such a word inside a sentence', () => {
    expect(found('/**\n * Reads what one says,\n * and who waits.\n */\n')).toEqual([]);
  });

  it('is counted where it is It or Where', () => {
    const report = check('/** It waits. Where it waits, it is told: It. Others do not wait. */\n');
    expect(report.sentences).toBe(3);
    expect(report.weak.map(({ message }) => message)).toEqual([
      'It waits.',
      'Where it waits, it is told: It.',
    ]);
  });
});

it('counts lines that are comment, in files that are no tests', () => {
  const text = '/**\n * Reads.\n */\nconst a = 1; // One of two.\n// The end.\n';
  expect(check(text)).toMatchObject({ commentLines: 4, lines: 5 });
  expect(check(text, 'host/a.test.ts')).toMatchObject({ commentLines: 0, lines: 0 });
});
