/** Notes what a start knows of itself, before anything runs. */
import { isoAt } from '../../../shared/base/clock.js';
import type { Logger } from '../../../shared/base/logger.js';
import { isolatesAgents, type DaemonState } from '../../store/daemon-state.js';
import { identifyFolder } from '../../store/home/home-identity.js';
import type { Install } from '../../store/home/install-id.js';
import type { Store } from '../../store/store.js';
import type { CommandContext } from '../command/command-context.js';
import { describeInstall } from './home-remarks.js';

export interface StartFacts {
  readonly store: Store;
  readonly log: Logger;
  readonly install: Install;
}

/** A full disk does not keep the daemon from running. */
export function beginAdoption({ clock }: CommandContext, store: Store, log: Logger): void {
  try {
    store.daemonState.beginAdoption(isoAt(clock.now()));
  } catch (err) {
    log.warn({ err }, 'start not noted for the adoption of folders');
  }
}

export function noteTimeZone({ config }: CommandContext, store: Store, log: Logger): void {
  const { timeZone, timeZoneOrigin } = config;
  const before = store.daemonState.find()?.timeZone ?? timeZone;
  const { remark } = timeZoneOrigin;
  if (remark !== null) log.warn({ timeZone, remark }, 'time zone is not what TZ says');
  if (before !== timeZone) log.warn({ timeZone, before }, 'time zone is another one than before');
}

export function noteHome(
  { config, homeNotes }: CommandContext,
  { store, log, install }: StartFacts,
): void {
  const { home } = config.paths;
  const { origin, before, id: installId } = install;
  log.info({ home, installId, program: config.program.root }, 'home');
  for (const note of homeNotes) log.info({ note }, 'about the home');
  const from = before?.home;
  if (origin === 'moved') log.info({ home, from, installId }, 'home was moved');
  if (origin === 'copied') log.warn({ home, from, installId }, 'home is a copy');
  const lastProgram = store.daemonState.find()?.program ?? null;
  if (lastProgram !== null && lastProgram !== config.program.root) {
    log.info({ from: lastProgram, to: config.program.root }, 'program of this home is another one');
  }
}

/** The daemon says this about itself from the start. A start that fails forgets neither where containers may be nor that agents were isolated. */
export function describeSelf(
  { config, settings }: CommandContext,
  isDetached: boolean,
  { install, store }: Pick<StartFacts, 'install' | 'store'>,
): Partial<DaemonState> {
  const { device, inode, born } = identifyFolder(config.paths.home);
  const last = store.daemonState.find();
  return {
    program: config.program.root,
    homeFolder: { device, inode, born },
    supervisor: isDetached ? null : config.supervisor,
    settings: Object.fromEntries(
      settings.map(({ name, value, source }) => [name, { value, source }]),
    ),
    engine: last?.engine ?? null,
    isolates: last === undefined ? null : isolatesAgents(last),
    remarks: describeInstall(install),
  };
}
