/** Finds the home, and the .env files that count for it. */
import { lstatSync, realpathSync } from 'node:fs';
import { userInfo } from 'node:os';
import { basename, dirname, join } from 'node:path';
import {
  nonEmpty,
  nothingRead,
  readDotEnv,
  type DotEnv,
  type Environment,
  type OnUnusable,
} from './dot-env.js';
import { chooseHome, findHomeProblem, type HomeChoice } from './home-choice.js';

export interface HomeSearch {
  /** --home. */
  readonly flag: string | undefined;
  readonly environment: Environment;
  /** The program's own folder. */
  readonly programRoot: string;
  readonly onUnusable: OnUnusable;
}

export interface FoundHome {
  readonly choice: HomeChoice;
  readonly dotEnv: DotEnv;
}

/** The program's own .env counts where nobody has named a home; that of the home counts over it. */
export function findHome({ flag, environment, programRoot, onUnusable }: HomeSearch): FoundHome {
  const isNamed = flag !== undefined || nonEmpty(environment['BERTH_HOME']) !== undefined;
  const isProgramRead = !isNamed && findHomeProblem(programRoot) === undefined;
  const ofProgram = isProgramRead ? readDotEnv(programRoot, onUnusable) : nothingRead;
  const choice = chooseHome({
    flag,
    environment,
    dotEnv: nonEmpty(ofProgram.values['BERTH_HOME']),
    programRoot,
    hasProgramData: isThere(join(programRoot, 'data')),
    // Asked for only where it is needed: it may come from a slow network.
    accountHome: nonEmpty(environment['HOME']) === undefined ? findAccountHome() : undefined,
  });
  const { home } = choice;
  if (home === undefined) return { choice, dotEnv: ofProgram };
  const found = { ...choice, problem: choice.problem ?? findHomeProblem(realPathOf(home)) };
  if (isProgramRead && home === programRoot) return { choice: found, dotEnv: ofProgram };
  return {
    choice: found,
    dotEnv: joined(programRoot, ofProgram, home, readDotEnv(home, onUnusable)),
  };
}

function joined(programRoot: string, ofProgram: DotEnv, home: string, ofHome: DotEnv): DotEnv {
  const ignored = ofHome.values['BERTH_HOME'] === undefined ? [] : [noteHomeNotRead(home)];
  return {
    values: { ...ofProgram.values, ...ofHome.values },
    notes: [
      ...noteMisplaced(programRoot, home, ofProgram.values),
      ...ofProgram.notes,
      ...ignored,
      ...ofHome.notes,
    ],
  };
}

function noteMisplaced(
  programRoot: string,
  home: string,
  values: DotEnv['values'],
): readonly string[] {
  if (Object.keys(values).every((name) => name === 'BERTH_HOME')) return [];
  const [from, to] = [join(programRoot, '.env'), join(home, '.env')];
  return [`Settings of ${from} are used; they belong into ${to}.`];
}

function noteHomeNotRead(home: string): string {
  return `${join(home, '.env')}: BERTH_HOME is not read from there; set it in the environment.`;
}

/** Also where it cannot be reached: a disk that is away for the moment still says where the data belongs. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

/** With links followed as far as there is anything. */
function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPathOf(parent), basename(path));
  }
}

/** By the passwd file, or what stands in for it. Undefined where it does not know this user. */
function findAccountHome(): string | undefined {
  try {
    return nonEmpty(userInfo().homedir);
  } catch {
    return undefined;
  }
}
