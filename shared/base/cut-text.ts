/**
 * Cuts text between characters as people see them (grapheme clusters), so that no emoji, flag or letter with its marks
 * is torn. The cost is bounded by what is taken, not by the text: a megabyte of combining marks is one cluster.
 */

/** So much is segmented at once, in UTF-16 units: the time that a segmenter takes grows with the square of its text. */
const windowUnits = 256;
/** A cluster that is longer is several characters, in UTF-16 units; the longest emoji has 15. */
const longestCluster = 32;

export interface TakenCharacters {
  readonly characters: readonly string[];
  /** Nothing of the text is left out. */
  readonly isWhole: boolean;
}

/** The first `most` characters. */
export function takeCharacters(text: string, most: number): TakenCharacters {
  const characters: string[] = [];
  for (const character of charactersOf(text)) {
    if (characters.length >= most) return { characters, isWhole: false };
    characters.push(character);
  }
  return { characters, isWhole: true };
}

/** At most `longest` characters, the last of them `…` where something was left out. */
export function cutText(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const { characters, isWhole } = takeCharacters(text, longest);
  return isWhole ? text : `${characters.slice(0, longest - 1).join('')}…`;
}

/** Yields one character after another; together they are the text. */
export function* charactersOf(text: string): Generator<string, void> {
  if (isPlain(text)) {
    yield* text;
    return;
  }
  const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
  for (let at = 0; at < text.length;) {
    const clusters = clustersAt(segmenter, text, at);
    for (const cluster of clusters) {
      yield* cluster.length > longestCluster ? inPieces(cluster) : [cluster];
      at += cluster.length;
    }
  }
}

/** Printable ASCII: each unit is a character. */
function isPlain(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

/** Those of one window. The last one may go on behind it and is left to the next, unless it fills the window. */
function clustersAt(segmenter: Intl.Segmenter, text: string, at: number): readonly string[] {
  const end = wholeEnd(text, at + windowUnits);
  const window = text.slice(at, end);
  const clusters = Array.from(segmenter.segment(window), ({ segment }) => segment);
  return end < text.length && clusters.length > 1 ? clusters.slice(0, -1) : clusters;
}

/** Is one less where a surrogate pair would be torn. */
function wholeEnd(text: string, end: number): number {
  const tearsPair = /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(end - 1, end + 1));
  return tearsPair ? end - 1 : end;
}

function* inPieces(cluster: string): Generator<string, void> {
  for (let at = 0; at < cluster.length;) {
    const end = wholeEnd(cluster, at + longestCluster);
    yield cluster.slice(at, end);
    at = end;
  }
}
