import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../../shared/base/logger.js';
import { AgentFiles, type Handover } from './agent-files.js';
import { fitTree } from './file-tree.js';

const isRoot = process.getuid?.() === 0;
const agentUser = { uid: 1234, gid: 4321 };

describe('the files of an agent', () => {
  let root: string;
  let lines: string[];
  let out: string;
  let view: string;
  let home: string;
  let group: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'berth-files-'));
    lines = [];
    [out, view, home, group] = ['out', 'view', 'home', 'group'].map((name) => join(root, name)) as [
      string,
      string,
      string,
      string,
    ];
    for (const dir of [out, view, home, group]) mkdirSync(dir);
  });

  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });

  function filesFor(handover: Handover): AgentFiles {
    const log = createLogger('info', { write: (line) => lines.push(line) });
    return new AgentFiles({ agentUser, handover, log });
  }

  function make(path: string, mode = 0o644): string {
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, 'x');
    chmodSync(path, mode);
    return path;
  }

  const uidOf = (path: string): number => lstatSync(path).uid;
  const modeOf = (path: string): number => statSync(path).mode & 0o777;

  describe.runIf(isRoot)('where the daemon is root', () => {
    it('are given to it after a restore, however deep they lie', async () => {
      const files = filesFor('give');
      const paths = [
        make(join(out, 'outbound.db')),
        make(join(out, 'outbound.db-journal')),
        make(join(out, 'heartbeat')),
        make(join(out, 'outbox', 'm-1', 'picture.png')),
        make(join(home, '.claude', 'projects', 'a', 'b.jsonl')),
      ];
      await files.handOverOut(out, view);
      await files.handOverHome(home);
      for (const path of [out, home, ...paths]) expect(uidOf(path), path).toBe(1234);
      expect(uidOf(view)).toBe(0);
    });

    it('are given to it also where the daemon had been another user before', async () => {
      const path = make(join(out, 'outbound.db'));
      chownSync(out, 501, 501);
      chownSync(path, 501, 501);
      await filesFor('give').handOverOut(out, view);
      expect([uidOf(out), uidOf(path)]).toEqual([1234, 1234]);
    });

    it('are not gone through where the known names are right', async () => {
      const files = filesFor('give');
      await files.handOverHome(home);
      const deep = make(join(home, 'a', 'b'));
      chownSync(join(home, 'a'), 1234, 4321);
      await files.handOverHome(home);
      expect(uidOf(deep)).toBe(0);
    });

    it('lose no backup that shares them by another name, and are writable all the same', async () => {
      const path = make(join(out, 'outbound.db'));
      const backup = join(root, 'backup.db');
      linkSync(path, backup);
      await filesFor('give').handOverOut(out, view);
      expect([uidOf(path), uidOf(backup)]).toEqual([1234, 0]);
      expect(readFileSync(path, 'utf8')).toBe('x');
    });

    it('keep the name by which the host reads outbound.db', async () => {
      const path = make(join(out, 'outbound.db'));
      linkSync(path, join(view, 'outbound.db'));
      await filesFor('give').handOverOut(out, view);
      expect(statSync(join(view, 'outbound.db')).ino).toBe(statSync(path).ino);
      expect(uidOf(path)).toBe(1234);
    });

    it('are never those behind a link, or with a name elsewhere', async () => {
      const secret = make(join(root, 'secret'), 0o600);
      mkdirSync(join(root, 'elsewhere'));
      const other = make(join(root, 'elsewhere', 'file'));
      symlinkSync(secret, join(home, 'link'));
      symlinkSync(join(root, 'elsewhere'), join(home, 'folder'));
      linkSync(secret, join(home, 'second-name'));
      await filesFor('give').handOverHome(home);
      expect([secret, other, join(root, 'elsewhere')].map(uidOf)).toEqual([0, 0, 0]);
      expect([uidOf(join(home, 'link')), uidOf(join(home, 'folder'))]).toEqual([1234, 1234]);
      expect(lines.join('')).toContain('second-name');
    });

    it('are refused where a link stands in the place of their folder', async () => {
      mkdirSync(join(root, 'elsewhere'));
      rmSync(home, { recursive: true });
      symlinkSync(join(root, 'elsewhere'), home);
      await expect(filesFor('give').handOverHome(home)).rejects.toMatchObject({
        code: 'spec_refused',
        message: `${home} is not a folder.`,
      });
      expect(uidOf(join(root, 'elsewhere'))).toBe(0);
    });

    it('can be swapped for links while they are given away, without harm', async () => {
      const secret = make(join(root, 'elsewhere', 'file'), 0o600);
      for (let i = 0; i < 50; i += 1) make(join(home, 'sub', `f${i}`, 'file'));
      const [real, link] = [join(home, 'sub', 'f25'), join(root, 'aside')];
      symlinkSync(join(root, 'elsewhere'), link);
      const done = new AbortController();
      const swapping = (async (): Promise<void> => {
        const third = join(root, 'third');
        while (!done.signal.aborted) {
          renameSync(real, third);
          renameSync(link, real);
          await new Promise((resolve) => setImmediate(resolve));
          renameSync(real, link);
          renameSync(third, real);
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      const all = { user: agentUser, from: (): boolean => true };
      for (let round = 0; round < 6; round += 1) {
        const need = { owner: all, folderMode: 0, fileMode: 0 };
        await fitTree(home, need, { depth: 9, entries: 999 });
      }
      done.abort();
      await swapping;
      expect([uidOf(secret), uidOf(join(root, 'elsewhere'))]).toEqual([0, 0]);
    });

    it('of a group that root has made are given away, those of other people stay theirs', async () => {
      const files = filesFor('give');
      const top = make(join(group, 'CLAUDE.md'));
      const nested = make(join(group, 'skills', 'a', 'SKILL.md'));
      const theirs = make(join(group, 'notes.md'));
      chownSync(theirs, 777, 777);
      await files.handOverGroup(group);
      await expect.poll(() => uidOf(nested)).toBe(1234);
      expect([uidOf(group), uidOf(top), uidOf(theirs)]).toEqual([1234, 1234, 777]);
    });

    it('of a group that root has put deep into it are given away once by each daemon', async () => {
      const fresh = filesFor('give');
      await fresh.handOverGroup(group);
      mkdirSync(join(group, 'a'));
      chownSync(join(group, 'a'), 1234, 4321);
      const nested = make(join(group, 'a', 'by-root'));
      await filesFor('give').handOverGroup(group);
      await expect.poll(() => uidOf(nested)).toBe(1234);
    });

    it('that are immutable keep a start only where it needs them', async () => {
      const instructions = make(join(group, 'CLAUDE.md'));
      const path = make(join(out, 'outbound.db'));
      if (!makeImmutable(instructions)) return;
      makeImmutable(path);
      try {
        const files = filesFor('give');
        await files.handOverGroup(group);
        expect(lines.join('')).toContain('CLAUDE.md');
        const refusal = {
          code: 'spec_refused',
          message: `The agent (user 1234) cannot write ${path} (EPERM). It belongs to user 0.`,
        };
        await expect(files.handOverOut(out, view)).rejects.toMatchObject(refusal);
      } finally {
        execFileSync('chattr', ['-i', instructions, path]);
      }
    });

    it('may be written by all where root may not give them away', async () => {
      const path = make(join(out, 'outbound.db'));
      const script = make(join(group, 'tool.sh'), 0o755);
      const files = filesFor('open');
      await files.handOverOut(out, view);
      await files.handOverGroup(group);
      expect([uidOf(out), uidOf(path)]).toEqual([0, 0]);
      expect([modeOf(out), modeOf(path), modeOf(group), modeOf(script)]).toEqual([
        0o777, 0o666, 0o777, 0o777,
      ]);
    });
  });

  it('that came back read-only can be written again', async () => {
    const path = make(join(out, 'outbound.db'), 0o444);
    chmodSync(out, 0o555);
    await filesFor('own').handOverOut(out, view);
    expect([modeOf(out), modeOf(path)]).toEqual([0o755, 0o644]);
  });

  it('that the host makes can be read by it, though they were made under a strict umask', async () => {
    const dir = join(root, 'in');
    const file = make(join(dir, 'inbox', 'm-1', '1-a.txt'), 0o600);
    const db = make(join(dir, 'inbound.db'), 0o600);
    for (const folder of [dir, join(dir, 'inbox'), join(dir, 'inbox', 'm-1')])
      chmodSync(folder, 0o700);
    await filesFor('own').show(dir);
    expect([modeOf(dir), modeOf(db), modeOf(file)]).toEqual([0o755, 0o644, 0o644]);
    expect(modeOf(join(dir, 'inbox', 'm-1'))).toBe(0o755);
  });
});

/** False where the file system does not know that. */
function makeImmutable(path: string): boolean {
  try {
    execFileSync('chattr', ['+i', path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
