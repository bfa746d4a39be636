import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { renderFigures } from './figure.js';
import { roomsOf } from './rooms.js';
import { readSourceTree, type SourceTree } from './source-tree.js';
import { structureFigures } from './structure.js';

describe('the structure of a tree', () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'berth-tree-'));
  });
  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });

  function tree(files: Readonly<Record<string, string>>): SourceTree {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return readSourceTree(root, ['host']);
  }

  function value(files: Readonly<Record<string, string>>, what: string): string | undefined {
    return structureFigures(tree(files)).find((figure) => figure.what.startsWith(what))?.value;
  }

  const imports = (...paths: string[]): string =>
    paths.map((path) => `import '${path}';\n`).join('');

  it('has as many floors as its longest chain of imports between rooms', () => {
    const rooms = roomsOf(
      tree({
        'host/main.ts': imports('./daemon.js'),
        'host/daemon.ts': imports('./routing/router.js', './store/table.js'),
        'host/routing/router.ts': imports('./gates.js', '../store/table.js'),
        'host/routing/gates.ts': imports('./rules/rule.js'),
        'host/routing/rules/rule.ts': '',
        'host/store/table.ts': imports('../config.js'),
        'host/config.ts': '',
      }),
      'host',
    );
    expect(rooms.floors).toBe(4);
    expect(rooms.names).toEqual(['host/routing', 'host/store']);
    expect(rooms.sizes).toEqual(
      new Map([
        ['host', 3],
        ['host/routing', 2],
        ['host/routing/rules', 1],
        ['host/store', 1],
      ]),
    );
  });

  it('counts folders that import each other, by types too, as a pair, and rooms that do as one floor', () => {
    const rooms = roomsOf(
      tree({
        'host/a/a.ts': "import type { B } from '../b/b.js';\nexport type A = B;\n",
        'host/b/b.ts': "export type { A as B } from '../a/a.js';\n",
        'host/c/c.ts': imports('../a/a.js'),
      }),
      'host',
    );
    expect(rooms.mutual).toEqual([['host/a', 'host/b']]);
    expect(rooms.floors).toBe(2);
  });

  it('leaves tests out', () => {
    const files = { 'host/a/a.ts': 'export {};\n', 'host/a/a.test.ts': '\n\n\n' };
    expect(value(files, 'production lines')).toBe('1');
  });

  it('finds long functions of every kind, and callbacks among dependencies', () => {
    const body = '\n'.repeat(60);
    const text = `export interface Deps {\n  readonly onEnd: () => void;\n  readonly only: string;\n}
export class C {\n  long(): void {${body}}\n}\nexport const short = (): void => {${'\n'.repeat(59)}};\n`;
    expect(value({ 'host/a/a.ts': text }, 'functions over')).toBe('1');
    expect(value({ 'host/a/a.ts': text }, 'callbacks')).toBe('1');
  });

  it('is shown in 80 columns, however much there is to say', () => {
    const names = Array.from({ length: 9 }, (_, i) => `host/some/folder/file-${i}.ts:100`);
    const [figure] = structureFigures(tree({ 'host/a/a.ts': '' }));
    const text = renderFigures('title', figure ? [{ ...figure, where: names.join(' ') }] : []);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBe(80);
    for (const name of names) expect(text).toContain(name);
  });
});
