import { InvalidArgumentError } from 'commander';
import { WrongValue } from './command-context.js';

/** A whole number above zero. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new InvalidArgumentError('It must be a whole number above 0.');
}

export function parseWhole(text: string): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(number)) return number;
  throw new InvalidArgumentError('It must be a whole number.');
}

/** An option that may be given several times. */
export function collectWords(
  value: string,
  before: readonly string[] | undefined,
): readonly string[] {
  return [...(before ?? []), value];
}

/** Words like `memoryMb=512`, as an object. `example`: for who wrote one otherwise. Throws invalid_input. */
export function parseAssignments(
  words: readonly string[],
  example: string,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    words.map((word) => {
      const [, key, value] = /^([^=]+)=(.*)$/s.exec(word) ?? [];
      if (key !== undefined && value !== undefined) return [key.trim(), readValue(value.trim())];
      throw new WrongValue(`${JSON.stringify(word)} sets nothing.`, {
        next: `Write it as key=value, like ${example}.`,
      });
    }),
  );
}

/** A number, or a text as it was typed. */
function readValue(text: string): unknown {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}
