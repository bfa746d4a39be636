import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { judgeShippedFile, type ShippedFileFacts } from './shipped-file.js';
import {
  compareShippedGroups,
  copyShippedGroup,
  type ShippedGroupsPaths,
} from './shipped-groups.js';

const told = { shipped: 'new', present: 'old' };
const before = { shipped: 'old', told: null };

describe('a file that ships', () => {
  it.each<[string, ShippedFileFacts, string, string]>([
    ['nothing has changed', { record: before, shipped: 'old', present: 'old' }, 'same', 'old'],
    ['a person has edited it', { record: before, shipped: 'old', present: 'mine' }, 'same', 'old'],
    ['a person has deleted it', { record: before, shipped: 'old', present: '' }, 'same', 'old'],
    ['we have changed it', { record: before, shipped: 'new', present: 'old' }, 'changed', 'old'],
    ['both have', { record: before, shipped: 'new', present: 'mine' }, 'edited', 'old'],
    [
      'we have, and it is deleted',
      { record: before, shipped: 'new', present: '' },
      'edited',
      'old',
    ],
    ['ours was taken', { record: before, shipped: 'new', present: 'new' }, 'same', 'new'],
    [
      'it was told, and nothing was done',
      { record: { shipped: 'old', told }, shipped: 'new', present: 'old' },
      'changed',
      'old',
    ],
    [
      'it was told, and then edited',
      { record: { shipped: 'old', told }, shipped: 'new', present: 'merged' },
      'same',
      'new',
    ],
    [
      'it was told and edited, and we have changed it again',
      { record: { shipped: 'old', told }, shipped: 'newer', present: 'merged' },
      'edited',
      'old',
    ],
    ['it is from before', { record: undefined, shipped: 'new', present: 'mine' }, 'same', 'new'],
  ])('is told of or not where %s', (_what, facts, kind, shipped) => {
    expect(judgeShippedFile(facts)).toMatchObject({ kind, record: { shipped } });
  });
});

describe('the groups that ship', () => {
  let root: string;
  let paths: ShippedGroupsPaths;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'berth-shipped-'));
    paths = {
      groupsDir: join(root, 'home', 'groups'),
      shippedGroupsDir: join(root, 'program', 'groups'),
      shippedGroupsFile: join(root, 'home', 'shipped-groups.json'),
    };
    mkdirSync(join(paths.shippedGroupsDir, 'main'), { recursive: true });
    ship('first');
  });

  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });

  const mine = (): string => join(paths.groupsDir, 'main', 'CLAUDE.md');

  function ship(text: string): void {
    writeFileSync(join(paths.shippedGroupsDir, 'main', 'CLAUDE.md'), text);
  }

  function start(): readonly string[] {
    copyShippedGroup(paths, 'main');
    return compareShippedGroups(paths);
  }

  it('are copied once, and are never written over', () => {
    expect(start()).toEqual([]);
    expect(readFileSync(mine(), 'utf8')).toBe('first');
    ship('second');
    expect(start()).toEqual([expect.stringContaining(`cp `) as string]);
    expect(readFileSync(mine(), 'utf8')).toBe('first');
    expect(readdirSync(paths.groupsDir)).toEqual(['main']);
  });

  it('are told of until somebody has dealt with them', () => {
    start();
    writeFileSync(mine(), 'edited');
    expect(start()).toEqual([]);
    ship('second');
    const remark = expect.stringContaining('you have edited yours') as string;
    expect(start()).toEqual([remark]);
    expect(start()).toEqual([remark]);
    writeFileSync(mine(), 'merged');
    expect(start()).toEqual([]);
    expect(start()).toEqual([]);
  });

  it('of a home from before this was recorded are taken as they are', () => {
    mkdirSync(join(paths.groupsDir, 'main'), { recursive: true });
    writeFileSync(mine(), 'anything');
    expect(start()).toEqual([]);
    ship('second');
    expect(start()).toEqual([expect.stringContaining('you have edited yours') as string]);
  });

  it('are left alone where the home is the program’s own folder', () => {
    const own = { ...paths, groupsDir: paths.shippedGroupsDir };
    copyShippedGroup(own, 'main');
    expect(compareShippedGroups(own)).toEqual([]);
    expect(existsSync(paths.shippedGroupsFile)).toBe(false);
  });

  it('leave nothing of a copy that was cut short', () => {
    mkdirSync(join(paths.groupsDir, '.main.new'), { recursive: true });
    writeFileSync(join(paths.groupsDir, '.main.new', 'half'), '');
    start();
    expect(readdirSync(join(paths.groupsDir, 'main'))).toEqual(['CLAUDE.md']);
    expect(readdirSync(paths.groupsDir)).toEqual(['main']);
  });

  it('are compared without opening a link or a pipe that an agent has put there', () => {
    start();
    ship('second');
    rmSync(mine());
    symlinkSync('/dev/zero', mine());
    expect(start()).toHaveLength(1);
    rmSync(mine());
    execFileSync('mkfifo', [mine()]);
    expect(start()).toHaveLength(1);
  });
});
