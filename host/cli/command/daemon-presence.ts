import { BerthError, errnoOf } from '../../../shared/base/errors.js';
import type { HomePaths } from '../../config/home-paths.js';
import { isDaemonLockHeld } from '../../store/home/daemon-lock.js';
import { findDaemonProcess } from '../../store/home/daemon-process.js';
import { readDaemonState, type DaemonState } from '../../store/daemon-state.js';
import { identifyFolder } from '../../store/home/home-identity.js';

/** `unknown`: it holds the lock and has not said anything about itself yet, or that cannot be read. */
export type DaemonPresence =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown'; readonly pid: number | undefined }
  | { readonly kind: 'present'; readonly state: DaemonState };

/** The lock tells whether a daemon lives; what it says about itself may be the last one's word until it has begun. */
export function findDaemon(paths: HomePaths): DaemonPresence {
  if (!isDaemonLockHeld(paths.lock)) return { kind: 'absent' };
  const state = readDaemonState(paths.centralDb);
  // In a copied home it is the original's daemon that is named until this one's has said something.
  const isItsWord = state !== undefined && isAlive(state.pid) && isAboutThisHome(state, paths.home);
  return isItsWord
    ? { kind: 'present', state }
    : { kind: 'unknown', pid: findDaemonProcess(paths) };
}

function isAboutThisHome({ homeFolder }: DaemonState, home: string): boolean {
  if (homeFolder === null) return true;
  const { device, inode } = identifyFolder(home);
  return homeFolder.device === device && homeFolder.inode === inode;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
}

/** Asks a process to end. Throws io_failed where it belongs to another user. */
export function signalDaemon(pid: number, signal: 'SIGTERM' | 'SIGUSR2'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // Gone meanwhile: what was asked for.
    if (errnoOf(error) === 'ESRCH') return;
    throw new BerthError('io_failed', `The daemon (pid ${pid}) belongs to another user.`, {
      next: 'Run the command as the user who runs the daemon.',
      cause: error,
    });
  }
}
