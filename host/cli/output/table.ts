/** Text in columns, for people. Text that comes from outside is made harmless: no line ends, no control characters. */
import { fitToWidth, widthOfText } from './text-width.js';
import { wrapWords } from './word-wrap.js';

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  /** Never cut: an id that somebody copies. */
  readonly whole?: boolean;
  /** Where the end is what tells one from another, both ends are kept. */
  readonly cut?: 'end' | 'middle';
  /** Never cut: where it does not fit beside the others, it stands below them. Of the last column only. */
  readonly below?: boolean;
}

const gap = '  ';
const narrowest = 6;

/** Writes one line a row below a line of titles, cut to the width where it must be; `empty` where there are no rows. */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number,
  empty: string,
): string {
  if (rows.length === 0) return empty;
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ value }) => printable(value(row)))),
  ];
  const last = columns.length - 1;
  if (columns[last]?.below !== true || sum(naturalWidths(cells)) + gap.length * last <= width) {
    return formatLines(columns, cells, width).join('\n');
  }
  const lines = formatLines(columns.slice(0, last), cells, width);
  return lines
    .map((line, i) => {
      // Without its title, which would be taken for that of another column.
      const below = i === 0 ? [] : wrapWords(cells[i]?.[last] ?? '', width - gap.length);
      return [line, ...below.map((text) => `${gap}${text}`)].join('\n');
    })
    .join('\n');
}

/** Cells beyond the columns are left out. */
function formatLines<Row>(
  columns: readonly Column<Row>[],
  cells: readonly (readonly string[])[],
  width: number,
): readonly string[] {
  const shown = cells.map((line) => line.slice(0, columns.length));
  const widths = fitWidths(
    naturalWidths(shown),
    columns.map(({ whole }) => whole === true),
    width - gap.length * (columns.length - 1),
  );
  return shown.map((line) =>
    line
      .map((cell, i) => pad(fitToWidth(cell, widths[i] ?? 0, columns[i]?.cut), widths[i] ?? 0))
      .join(gap)
      .trimEnd(),
  );
}

function naturalWidths(cells: readonly (readonly string[])[]): readonly number[] {
  return (cells[0] ?? []).map((_, i) =>
    Math.max(...cells.map((line) => widthOfText(line[i] ?? ''))),
  );
}

function sum(widths: readonly number[]): number {
  return widths.reduce((total, one) => total + one, 0);
}

/** A name and a value on each line, broken at words to the width; an undefined value is left out. */
export function formatFields(
  fields: readonly (readonly [name: string, value: string | undefined])[],
  total = Number.POSITIVE_INFINITY,
): string {
  const shown = fields.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
  const width = Math.max(0, ...shown.map(({ name }) => widthOfText(name)));
  const indent = `\n${' '.repeat(width)}${gap}`;
  return shown
    .map(({ name, value }) => {
      const lines = wrapWords(printable(value), total - width - gap.length);
      return `${pad(name, width)}${gap}${lines.join(indent)}`;
    })
    .join('\n');
}

/** A title and what stands below it, indented; nothing where nothing stands there. */
export function formatSection(title: string, body: string): string {
  return body === '' ? '' : `\n\n${title}\n${body.replace(/^/gm, gap)}`;
}

/** Texts that an agent or a platform wrote may not move the cursor or break a line. */
export function printable(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ⏎ ').replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, ' ');
}

/** Takes from the widest column that may be cut, until all fit or none can give more. */
function fitWidths(
  natural: readonly number[],
  isWhole: readonly boolean[],
  total: number,
): readonly number[] {
  const widths = [...natural];
  let excess = sum(widths) - total;
  while (excess > 0) {
    const widest = findWidest(widths, isWhole);
    const width = widths[widest];
    if (width === undefined || width <= narrowest) break;
    widths[widest] = width - 1;
    excess -= 1;
  }
  return widths;
}

function findWidest(widths: readonly number[], isWhole: readonly boolean[]): number {
  return widths.reduce(
    (best, width, i) => (isWhole[i] !== true && width > (widths[best] ?? 0) ? i : best),
    -1,
  );
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOfText(text)));
}
