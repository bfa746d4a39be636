import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../shared/base/logger.js';
import { withDatabase } from '../../../shared/base/sqlite/sqlite.js';
import { LockKeeper } from '../../../test/fakes/lock-keeper.js';
import { BlockedSessions } from './blocked-sessions.js';
import { LockHolders, parseLocks, type FoundHolders } from './lock-holders.js';

describe('the table of locks', () => {
  it.each<[string, readonly number[]]>([
    ['1: POSIX  ADVISORY  READ 1234 fe:00:77 1073741826 1073742335', [1234]],
    ['1: POSIX  ADVISORY  WRITE 0 fe:00:77 0 EOF', [0]],
    ['1: OFDLCK ADVISORY  READ -1 00:06:77 0 EOF', [-1]],
    ['lock:\t1: POSIX  ADVISORY  READ 9 fe:00:77 0 EOF', [9]],
    ['1: -> POSIX  ADVISORY  WRITE 1234 fe:00:77 0 EOF', []],
    ['1: POSIX  ADVISORY  READ 1234 fe:00:770 0 EOF', []],
    ['1: LEASE  ACTIVE    READ 1234 fe:00:77 0 EOF', []],
    ['nonsense', []],
  ])('%s', (line, expected) => {
    expect(parseLocks(`${line}\n`, 77n)).toEqual(expected);
  });
});

describe('a lock on an inbound.db that stays', () => {
  let folder: string;
  let path: string;
  let ended: string[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-lock-'));
    path = join(folder, 'inbound.db');
    ended = [];
    withDatabase(path, { mode: 'create', busyTimeoutMs: 0 }, (db) => {
      db.exec('CREATE TABLE t (x)');
    });
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function sessionsWith(
    holders: Pick<LockHolders, 'find' | 'isHeldByOneOf' | 'nameOf'>,
    ownPids: readonly number[],
  ): BlockedSessions {
    return new BlockedSessions({
      holders,
      log: silentLogger,
      isOfContainer: (_, pid) => Promise.resolve(ownPids.includes(pid)),
      endContainer: (sessionId) => {
        ended.push(sessionId);
        return true;
      },
    });
  }

  it('is waited for where another program holds it, which is named', async () => {
    await using keeper = await LockKeeper.hold(path);
    const answer = await sessionsWith(new LockHolders(), []).help('s-1', path);
    expect(answer).toEqual({
      isHelped: false,
      holder: `Another program (pid ${keeper.pid}, node) holds inbound.db of this conversation.`,
    });
    expect(ended).toEqual([]);
  });

  it('ends the container where that one holds it', async () => {
    await using keeper = await LockKeeper.hold(path);
    const sessions = sessionsWith(new LockHolders(), [keeper.pid]);
    const answers = await Promise.all([sessions.help('s-1', path), sessions.help('s-1', path)]);
    expect(answers).toEqual([{ isHelped: true }, { isHelped: true }]);
    expect(ended).toEqual(['s-1']);
  });

  /** Returns what is found, check by check; the last goes on. */
  function scripted(...found: readonly FoundHolders[]) {
    let check = 0;
    return {
      find: () => {
        const last = found[Math.min(check, found.length - 1)];
        check += 1;
        return Promise.resolve(last ?? { pids: [], hasUnnamed: false });
      },
      isHeldByOneOf: (_: string, isMeant: (pid: number) => Promise<boolean>) => isMeant(5),
      nameOf: () => Promise.resolve('rsync'),
    };
  }

  const both = { pids: [7, 5], hasUnnamed: false };
  const other = { pids: [7], hasUnnamed: false };
  const own = { pids: [5], hasUnnamed: false };
  const nobody = { pids: [], hasUnnamed: false };
  const unnamed = { pids: [], hasUnnamed: true };

  it.each<[string, readonly FoundHolders[], readonly number[], boolean, string]>([
    ['it reads for a moment beside another program', [both, other], [5], false, 'rsync'],
    ['it reads for a moment', [own, nobody], [5], false, 'cannot be found out'],
    ['nobody is to be seen', [nobody], [5], false, 'cannot be found out'],
    ['the holder is not told, and is not it', [unnamed], [], false, 'cannot be found out'],
    ['the holder is not told, and it has one of its own', [unnamed], [5], true, ''],
    ['both hold it all the time', [both], [5], true, ''],
  ])('leaves or ends the container where %s', async (_, found, pids, isEnded, words) => {
    const answer = await sessionsWith(scripted(...found), pids).help('s-1', path);
    expect(answer.isHelped).toBe(isEnded);
    expect(ended).toEqual(isEnded ? ['s-1'] : []);
    expect(answer.holder ?? '').toContain(words);
  });

  it('finds a lock that the system tells of only through its holder', async () => {
    await using keeper = await LockKeeper.hold(path);
    const holders = new LockHolders();
    const isKeeper = (pid: number): Promise<boolean> => Promise.resolve(pid === keeper.pid);
    expect(await holders.isHeldByOneOf(path, isKeeper)).toBe(true);
    expect(await holders.isHeldByOneOf(path, () => Promise.resolve(false))).toBe(false);
    expect(await holders.find(join(folder, 'nothing'))).toEqual(nobody);
  });
});
