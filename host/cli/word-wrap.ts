/** A command in backticks is one word, so that it can be copied; a longer one would not fit beside anything. */
const word = /`[^`]{1,60}`\S*|\S+/g;

/** Broken at words; a word that is longer than the width has a line of its own. */
export function wrapWords(text: string, width: number): readonly string[] {
  if (lengthOf(text) <= width) return [text];
  const lines: string[] = [];
  let line = '';
  for (const next of text.match(word) ?? []) {
    if (line !== '' && lengthOf(line) + 1 + lengthOf(next) > width) {
      lines.push(line);
      line = next;
    } else {
      line = line === '' ? next : `${line} ${next}`;
    }
  }
  return [...lines, line];
}

/** In characters, not code units. */
export function lengthOf(text: string): number {
  return Array.from(text).length;
}
