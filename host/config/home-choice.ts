/** Decides where BERTH_HOME lies. Pure: what it decides on is handed in, see config.ts. */
import { isAbsolute, join, resolve, sep } from 'node:path';
import { nonEmpty, type Environment } from './dot-env.js';

export interface HomeFacts {
  /** --home. */
  readonly flag: string | undefined;
  /** Variables: an empty one counts as not set. */
  readonly environment: Environment;
  /** BERTH_HOME in the .env of the program's own folder. */
  readonly dotEnv: string | undefined;
  /** The program's own folder. */
  readonly programRoot: string;
  /** The folder has data/. */
  readonly hasProgramData: boolean;
  /** The user's folder by the passwd file; undefined where it has no entry for this user. */
  readonly accountHome: string | undefined;
}

export type HomeSource = 'flag' | 'environment' | '.env' | 'default';

export interface HomeChoice {
  /** Absolute. Undefined where none can be told: `problem` says why. */
  readonly home: string | undefined;
  readonly source: HomeSource;
  /** The home is the program's own folder, because its data lies there from before. */
  readonly isCheckout: boolean;
  /** Why it cannot be used. */
  readonly problem: string | undefined;
  /** Remarks about the home. */
  readonly notes: readonly string[];
}

/** The first that is there: --home, BERTH_HOME, data/ in the program's folder, its .env, XDG_DATA_HOME, ~/.berth. */
export function chooseHome(facts: HomeFacts): HomeChoice {
  const { flag, environment, dotEnv, programRoot, hasProgramData } = facts;
  const fromEnvironment = nonEmpty(environment['BERTH_HOME']);
  if (flag !== undefined) return chosen(resolve(flag), 'flag');
  if (fromEnvironment !== undefined) return chosen(resolve(fromEnvironment), 'environment');
  if (hasProgramData) return goOnInCheckout(facts);
  // Relative to where it stands, and not to where the command happens to be run.
  if (dotEnv !== undefined) return chosen(resolve(programRoot, dotEnv), '.env');
  return chooseDefault(facts);
}

function goOnInCheckout(facts: HomeFacts): HomeChoice {
  const { programRoot, dotEnv } = facts;
  const usual = chooseDefault(facts).home ?? 'a folder outside of it';
  const notes = [
    `The home is ${programRoot}, the program's own folder, because it has data/ already. A new one would be ${usual}; to move it there, see docs/operating.md.`,
  ];
  if (dotEnv !== undefined) {
    notes.push(
      `${join(programRoot, '.env')}: BERTH_HOME is not read from there while ${join(programRoot, 'data')} exists.`,
    );
  }
  return { ...chosen(programRoot, 'default', notes), isCheckout: true };
}

function chooseDefault({ environment, accountHome }: HomeFacts): HomeChoice {
  const xdg = nonEmpty(environment['XDG_DATA_HOME']);
  if (xdg !== undefined && isAbsolute(xdg)) return chosen(join(xdg, 'berth'), 'default');
  // The XDG Base Directory Specification has relative paths ignored.
  const notes =
    xdg === undefined ? [] : [`XDG_DATA_HOME (${xdg}) is not used: it is no absolute path.`];
  const home = nonEmpty(environment['HOME']);
  if (home !== undefined && !isAbsolute(home)) {
    return unknown(`HOME (${home}) is no absolute path`, notes);
  }
  const userHome = home ?? accountHome;
  if (userHome === undefined || !isAbsolute(userHome)) {
    return unknown('HOME is not set, and this user has no home folder', notes);
  }
  return chosen(join(userHome, '.berth'), 'default', notes);
}

function chosen(home: string, source: HomeSource, notes: readonly string[] = []): HomeChoice {
  return { home, source, isCheckout: false, problem: findHomeProblem(home), notes };
}

function unknown(why: string, notes: readonly string[]): HomeChoice {
  const problem = `${why}: nobody can tell where data/ and groups/ are to lie`;
  return { home: undefined, source: 'default', isCheckout: false, problem, notes };
}

/** Why a folder cannot be a home. `realPath`: the same one with its links followed. */
export function findHomeProblem(realPath: string): string | undefined {
  const parts = realPath.split(sep);
  const at = parts.indexOf('node_modules');
  if (at < 0) return undefined;
  const modules = parts.slice(0, at + 1).join(sep);
  return `${realPath} lies below ${modules}, and the next installation of packages takes away what is there`;
}
