/** Whether this process can open a file at all: SQLite says only that it could not open one, and not why. */
import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import { errnoOf, shortageOf, type BerthError } from './errors.js';

/** Opens a file that is always there. Undefined where that goes well, or fails for another reason. */
export function probeShortage(): BerthError | undefined {
  try {
    closeSync(openSync(devNull, 'r'));
    return undefined;
  } catch (error) {
    return shortageOf(errnoOf(error), error);
  }
}
