import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { identifyFolder, isSameFolder, type PlacedFolder } from './home-identity.js';
import { ensureInstall, type InstallPaths } from './install-id.js';

describe('the id of an install', () => {
  let root: string;
  let home: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'berth-install-'));
    home = join(root, 'home');
    mkdirSync(join(home, 'data'), { recursive: true });
  });

  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });

  function pathsOf(folder: string): InstallPaths {
    return {
      home: folder,
      installIdFile: join(folder, 'data', 'install-id'),
      installHomeFile: join(folder, 'data', 'install-home.json'),
    };
  }

  /** As the version before this one makes it. */
  function idOfBefore(folder: string): string {
    const seed = readFileSync(pathsOf(folder).installIdFile, 'utf8').trim();
    return createHash('sha256').update(`${seed}\n${folder}`).digest('hex').slice(0, 12);
  }

  it('stays from start to start, also by way of a link', () => {
    const first = ensureInstall(pathsOf(home));
    expect(first).toMatchObject({ origin: 'new', before: null });
    expect(first.id).toMatch(/^[0-9a-f]{12}$/);
    expect(ensureInstall(pathsOf(home))).toMatchObject({ id: first.id, origin: 'known' });
    const link = join(root, 'link');
    symlinkSync(home, link);
    expect(ensureInstall(pathsOf(link))).toMatchObject({ id: first.id, origin: 'known' });
  });

  it('stays where the home is renamed, once and again', () => {
    const { id } = ensureInstall(pathsOf(home));
    const moved = join(root, 'moved');
    renameSync(home, moved);
    const before = { id, home };
    expect(ensureInstall(pathsOf(moved))).toEqual({ id, origin: 'moved', before });
    expect(ensureInstall(pathsOf(moved))).toEqual({ id, origin: 'known', before: null });
    renameSync(moved, home);
    expect(ensureInstall(pathsOf(home))).toMatchObject({ id, origin: 'moved' });
  });

  it('is another one in a copy, and stays in both', () => {
    const { id } = ensureInstall(pathsOf(home));
    const copy = join(root, 'copy');
    cpSync(home, copy, { recursive: true });
    const made = ensureInstall(pathsOf(copy));
    expect(made).toMatchObject({ origin: 'copied', before: { id, home } });
    expect(made.id).not.toBe(id);
    expect(ensureInstall(pathsOf(copy))).toMatchObject({ id: made.id, origin: 'known' });
    expect(ensureInstall(pathsOf(home))).toMatchObject({ id, origin: 'known' });
  });

  it('is another one in a copy that took the place of the home, which keeps its own', () => {
    const { id } = ensureInstall(pathsOf(home));
    const old = join(root, 'old');
    renameSync(home, old);
    cpSync(old, home, { recursive: true });
    const made = ensureInstall(pathsOf(home));
    expect(made).toMatchObject({ origin: 'copied', before: { id, home } });
    expect(made.id).not.toBe(id);
    expect(ensureInstall(pathsOf(old))).toMatchObject({ id, origin: 'moved' });
  });

  it('is that of the version before, where this one starts for the first time', () => {
    writeFileSync(pathsOf(home).installIdFile, '0b6c0a56-0000-4000-8000-000000000000\n');
    const { id, origin } = ensureInstall(pathsOf(home));
    expect({ id, origin }).toEqual({ id: idOfBefore(home), origin: 'known' });
    const moved = join(root, 'moved');
    renameSync(home, moved);
    expect(ensureInstall(pathsOf(moved))).toMatchObject({ id, origin: 'moved' });
  });

  it('is what the version before would make of it, in a new home and in a copy', () => {
    expect(ensureInstall(pathsOf(home)).id).toBe(idOfBefore(home));
    const copy = join(root, 'copy');
    cpSync(home, copy, { recursive: true });
    expect(ensureInstall(pathsOf(copy)).id).toBe(idOfBefore(copy));
  });

  it.each([
    [
      'the record is not there',
      (paths: InstallPaths) => {
        rmSync(paths.installHomeFile);
      },
    ],
    [
      'the record is cut short',
      (paths: InstallPaths) => {
        cut(paths.installHomeFile);
      },
    ],
  ])('stays where %s', (_what, damage) => {
    const { id } = ensureInstall(pathsOf(home));
    damage(pathsOf(home));
    expect(ensureInstall(pathsOf(home)).id).toBe(id);
    expect(existsSync(pathsOf(home).installHomeFile)).toBe(true);
  });

  it('stays where its file was taken away or emptied: its agents are still there', () => {
    const { id } = ensureInstall(pathsOf(home));
    rmSync(pathsOf(home).installIdFile);
    expect(ensureInstall(pathsOf(home))).toMatchObject({ id, origin: 'known' });
    writeFileSync(pathsOf(home).installIdFile, '');
    expect(ensureInstall(pathsOf(home))).toMatchObject({ id, origin: 'known' });
    expect(idOfBefore(home)).toBe(id);
  });

  it('is a new one where both of its files were taken away, or one of them in a copy', () => {
    const { id } = ensureInstall(pathsOf(home));
    const copy = join(root, 'copy');
    cpSync(home, copy, { recursive: true });
    rmSync(pathsOf(copy).installIdFile);
    expect(ensureInstall(pathsOf(copy)).id).not.toBe(id);
    rmSync(pathsOf(home).installIdFile);
    rmSync(pathsOf(home).installHomeFile);
    const second = ensureInstall(pathsOf(home));
    expect(second).toMatchObject({ origin: 'new' });
    expect(second.id).not.toBe(id);
  });

  it('of a copy is the same where the start was killed before it was recorded', () => {
    ensureInstall(pathsOf(home));
    const copy = join(root, 'copy');
    cpSync(home, copy, { recursive: true });
    const recordBefore = readFileSync(pathsOf(copy).installHomeFile);
    const { id } = ensureInstall(pathsOf(copy));
    writeFileSync(pathsOf(copy).installHomeFile, recordBefore);
    expect(ensureInstall(pathsOf(copy)).id).toBe(id);
  });
});

function cut(path: string): void {
  writeFileSync(path, readFileSync(path, 'utf8').slice(0, 20));
}

describe('a folder', () => {
  const folder: PlacedFolder = { path: '/a', device: '1', inode: '2', born: '3' };

  it.each<[string, Partial<PlacedFolder>, boolean]>([
    ['nothing differs', {}, true],
    ['it was renamed', { path: '/b' }, true],
    ['it was renamed, and births are not told', { path: '/b', born: null }, true],
    ['its inode differs', { inode: '9' }, false],
    ['another was made in its place with its old number', { born: '9' }, false],
    ['its disk has another number since the last mount', { device: '9' }, true],
    ['its disk has another number, and births are not told', { device: '9', born: null }, false],
    ['it lies on a copy of the disk elsewhere', { device: '9', path: '/b' }, false],
    ['it is the top of another disk in the same place', { device: '9', born: '9' }, false],
  ])('is the same or not where %s', (_what, change, isSame) => {
    expect(isSameFolder(folder, { ...folder, ...change })).toBe(isSame);
    expect(isSameFolder({ ...folder, ...change }, folder)).toBe(isSame);
  });

  it('is known by what stays when it is renamed and filled', () => {
    const root = mkdtempSync(join(tmpdir(), 'berth-folder-'));
    try {
      const path = join(root, 'one');
      mkdirSync(path);
      mkdirSync(join(path, 'child'));
      const { device, inode } = identifyFolder(path);
      renameSync(path, join(root, 'two'));
      writeFileSync(join(root, 'two', 'file'), '');
      expect(identifyFolder(join(root, 'two'))).toMatchObject({ device, inode });
      mkdirSync(path);
      expect(identifyFolder(path).inode).not.toBe(inode);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
});
