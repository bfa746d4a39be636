/** How long text is and how it is cut, in characters as people see them: an emoji with all its parts is one. */
import { charactersOf } from '../../../shared/base/cut-text.js';

const plain = /^[\x20-\x7e]*$/;
/** Belongs to the character before it: marks, joiners, selectors, skin tones. */
const dependent = /[\p{Mn}\p{Me}\p{Cf}\u{1f3fb}-\u{1f3ff}]/u;
const regional = /\p{Regional_Indicator}/u;

/** Counted without a segmenter, whose time would grow with the square of a long text. */
export function widthOfText(text: string): number {
  if (plain.test(text)) return text.length;
  let width = 0;
  let before = '';
  for (const point of text) {
    // An emoji that is joined to the one before is drawn with it, and two regional letters are one flag.
    const isSecondHalf = regional.test(point) && regional.test(before);
    const isPart = before === '\u200d' || isSecondHalf || dependent.test(point);
    if (!isPart) width += 1;
    before = isSecondHalf ? '' : point;
  }
  return width;
}

/** At most so wide; with an ellipsis where something was left out, at its end or in its middle. */
export function fitToWidth(text: string, width: number, where: 'end' | 'middle' = 'end'): string {
  if (widthOfText(text) <= width) return text;
  const tailWidth = where === 'middle' ? Math.floor((width - 1) / 2) : 0;
  const tail = tailWidth === 0 ? '' : takeEnd(text, tailWidth);
  return `${takeWidth(charactersOf(text), width - 1 - widthOfText(tail)).join('')}…${tail}`;
}

/** So far as they fit. */
function takeWidth(characters: Iterable<string>, width: number): readonly string[] {
  const taken: string[] = [];
  let rest = width;
  for (const character of characters) {
    rest -= widthOfText(character);
    if (rest < 0) break;
    taken.push(character);
  }
  return taken;
}

/** A character is not longer than this, in UTF-16 units: see cut-text. */
const longestCharacter = 32;

function takeEnd(text: string, width: number): string {
  const from = Math.max(0, text.length - (width + 2) * longestCharacter);
  // The first one may be a part of a longer one.
  const characters = [...charactersOf(text.slice(from))].slice(from === 0 ? 0 : 1);
  return [...takeWidth(characters.reverse(), width)].reverse().join('');
}
