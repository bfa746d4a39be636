/** Reads a .env file, and tells what nobody reads in it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { findStrayLines } from '../../shared/base/env-file.js';
import { BerthError } from '../../shared/base/errors.js';
import { settings } from './settings.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Receives what cannot be used: config_invalid, naming the setting, where it came from and what it may be; or .env. */
export type OnUnusable = (error: BerthError) => void;

/** An empty variable counts as not set, as in most programs. */
export function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

export interface DotEnv {
  readonly values: Environment;
  readonly notes: readonly string[];
}

export const nothingRead: DotEnv = { values: {}, notes: [] };

/** The .env of a folder; empty where there is none. A file that cannot be read is for `onUnusable`. */
export function readDotEnv(folder: string, onUnusable: OnUnusable): DotEnv {
  const path = join(folder, '.env');
  if (!existsSync(path)) return nothingRead;
  try {
    const text = readFileSync(path, 'utf8');
    const stray = findStrayLines(text);
    // parseEnv would take a stray line and the setting after it for one.
    const lines = text.split('\n').map((line, i) => (stray.includes(i + 1) ? '' : line));
    const values = parseEnv(lines.join('\n'));
    return { values, notes: [...noteNames(path, values), ...noteLines(path, stray)] };
  } catch (error) {
    onUnusable(
      new BerthError('config_invalid', `${path} cannot be read.`, {
        next: 'Correct the file or take it away.',
        cause: error,
      }),
    );
    return nothingRead;
  }
}

function noteNames(path: string, values: Environment): readonly string[] {
  return Object.keys(values).flatMap((name) => {
    const isStray = name.startsWith('BERTH_') && !(name in settings);
    return isStray ? [`${path}: there is no setting ${name}; see \`berth config\`.`] : [];
  });
}

function noteLines(path: string, stray: readonly number[]): readonly string[] {
  return stray.map((line) => `${path}: line ${line} is no setting; write it like NAME=value.`);
}
