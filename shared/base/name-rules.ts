/** Names that people give: two that appear the same must be the same. Ids that a platform makes are not held to this. */
import { findStorageProblem } from './well-formed.js';

/** Why it cannot be a name: the end of a sentence that begins with it; undefined where it can. */
export function findNameProblem(name: string): string | undefined {
  const unstorable = findStorageProblem(name);
  if (unstorable !== undefined) return unstorable;
  if (name.includes('\ufffd')) return 'holds a character that was lost on its way (U+FFFD)';
  if (/[\p{Cc}\u2028\u2029]/u.test(name)) return 'has control characters';
  if (/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u.test(name)) {
    return 'has characters that turn the direction of text';
  }
  if (invisible.test(name.replace(flagTags, '')) || joinsNothing(name)) {
    return 'has characters that nobody sees';
  }
  return /^[\p{Z}\p{M}\u200c\u200d]*$/u.test(name) ? 'has nothing that can be seen' : undefined;
}

/**
 * Gives one spelling to names that appear the same: letters with their marks as one character where there is one (NFC).
 */
export function normalizeName(name: string): string {
  return name.normalize('NFC');
}

/** Fillers, selectors of scripts, zero-width spaces, tags. Source: unicode.org/reports/tr44, Default_Ignorable_Code_Point. */
const invisible = new RegExp(
  [
    ...[
      '\\u00ad',
      '\\u034f',
      '[\\u115f-\\u1160]',
      '[\\u17b4-\\u17b5]',
      '[\\u180b-\\u180f]',
      '\\u200b',
    ],
    ...[
      '[\\u2060-\\u2065]',
      '[\\u206a-\\u206f]',
      '\\u3164',
      '\\ufeff',
      '\\uffa0',
      '[\\u{e0000}-\\u{e0fff}]',
    ],
  ].join('|'),
  'u',
);

/** Flags of regions are written with tags. Source: unicode.org/reports/tr51, "Emoji Tag Sequence". */
const flagTags = /\u{1f3f4}[\u{e0020}-\u{e007e}]{1,8}\u{e007f}/gu;

/** Joiners mean something inside of emoji and of scripts whose letters join; between others they only hide. */
function joinsNothing(name: string): boolean {
  return /[\u200c\u200d]/.test(name.replace(meaningfulJoiners, ''));
}

const joiningScripts = [
  ...['Arabic', 'Syriac', 'Mongolian', 'Devanagari', 'Bengali', 'Gurmukhi', 'Gujarati', 'Oriya'],
  ...['Tamil', 'Telugu', 'Kannada', 'Malayalam', 'Sinhala', 'Khmer', 'Myanmar', 'Tibetan'],
]
  .map((script) => `\\p{Script=${script}}`)
  .join('');

const meaningfulJoiners = new RegExp(
  [
    `(?<=[${joiningScripts}]\\p{M}{0,4})[\\u200c\\u200d](?=[${joiningScripts}])`,
    `(?<=\\p{Extended_Pictographic}[\\ufe0f\\u{1f3fb}-\\u{1f3ff}]{0,2})\\u200d(?=\\p{Extended_Pictographic})`,
  ].join('|'),
  'gu',
);
