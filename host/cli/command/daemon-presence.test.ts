import { copyFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { daemonWords } from '../../../test/fakes/daemon-words.js';
import { TempHome } from '../../../test/fakes/temp-home.js';
import { loadConfig } from '../../config/config.js';
import { DaemonLock } from '../../store/home/daemon-lock.js';
import { noteDaemonProcess } from '../../store/home/daemon-process.js';
import { identifyFolder } from '../../store/home/home-identity.js';
import { findDaemon } from './daemon-presence.js';

it('takes what a daemon says about another home, of which this one is a copy, for no word of its own', () => {
  using home = new TempHome();
  const { paths } = loadConfig({ BERTH_HOME: home.root }).config;
  const homeFolder = identifyFolder(home.root);
  const say = (folder: typeof homeFolder | null): void => {
    home.store.daemonState.write({ ...daemonWords, homeFolder: folder }, home.clock.iso());
  };
  say(homeFolder);
  expect(findDaemon(paths).kind).toBe('absent');
  const lock = DaemonLock.acquire(paths.lock);
  expect(findDaemon(paths).kind).toBe('present');
  // Its process lives, and must not get a signal that is meant for the daemon of this home.
  say({ ...homeFolder, inode: '1' });
  expect(findDaemon(paths)).toEqual({ kind: 'unknown', pid: undefined });
  // A daemon of the version before does not tell.
  say(null);
  expect(findDaemon(paths).kind).toBe('present');
  lock.release();
});

it('knows the process of a daemon whose central.db cannot be read, and none of a copied home', () => {
  using home = new TempHome();
  const { paths } = loadConfig({ BERTH_HOME: home.root }).config;
  const lock = DaemonLock.acquire(paths.lock);
  noteDaemonProcess(paths, 42);
  expect(findDaemon(paths)).toEqual({ kind: 'unknown', pid: 42 });
  using copy = new TempHome();
  const copied = loadConfig({ BERTH_HOME: copy.root }).config.paths;
  const copyLock = DaemonLock.acquire(copied.lock);
  copyFileSync(paths.processFile, copied.processFile);
  expect(findDaemon(copied)).toEqual({ kind: 'unknown', pid: undefined });
  lock.release();
  copyLock.release();
});
