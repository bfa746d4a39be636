import { widthOfText } from './text-width.js';

/** A command in backticks is one word, so that it can be copied; a longer one would not fit beside anything. */
const word = /`[^`]{1,60}`\S*|\S+/g;

/** Broken at words; a word that is longer than the width has a line of its own. */
export function wrapWords(text: string, width: number): readonly string[] {
  if (widthOfText(text) <= width) return [text];
  const lines: string[] = [];
  let line = '';
  for (const next of text.match(word) ?? []) {
    if (line !== '' && widthOfText(line) + 1 + widthOfText(next) > width) {
      lines.push(line);
      line = next;
    } else {
      line = line === '' ? next : `${line} ${next}`;
    }
  }
  return [...lines, line];
}
