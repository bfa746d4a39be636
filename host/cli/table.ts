/** Text in columns, for people. What comes from outside is made harmless: no line ends, no control characters. */

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  /** Never cut: an id that somebody copies. */
  readonly whole?: boolean;
}

const gap = '  ';
const narrowest = 6;

/** One line a row below a line of titles, cut to the width where it must be; `empty` where there are no rows. */
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
  const widths = fitWidths(
    columns.map((_, i) => Math.max(...cells.map((line) => lengthOf(line[i] ?? '')))),
    columns.map(({ whole }) => whole === true),
    width - gap.length * (columns.length - 1),
  );
  return cells
    .map((line) =>
      line
        .map((cell, i) => pad(cut(cell, widths[i] ?? 0), widths[i] ?? 0))
        .join(gap)
        .trimEnd(),
    )
    .join('\n');
}

/** A name and a value on each line; an undefined value is left out. Long values break over several lines. */
export function formatFields(
  fields: readonly (readonly [name: string, value: string | undefined])[],
): string {
  const shown = fields.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
  const width = Math.max(0, ...shown.map(({ name }) => lengthOf(name)));
  return shown.map(({ name, value }) => `${pad(name, width)}${gap}${printable(value)}`).join('\n');
}

/** A title and what stands below it, indented; nothing where nothing stands there. */
export function formatSection(title: string, body: string): string {
  return body === '' ? '' : `\n\n${title}\n${body.replace(/^/gm, gap)}`;
}

/** What an agent or a platform wrote may not move the cursor or break a line. */
export function printable(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ⏎ ').replace(/\p{Cc}/gu, ' ');
}

/** Takes from the widest column that may be cut, until all fit or none can give more. */
function fitWidths(
  natural: readonly number[],
  isWhole: readonly boolean[],
  total: number,
): readonly number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, one) => sum + one, 0) - total;
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

function lengthOf(text: string): number {
  return Array.from(text).length;
}

function cut(text: string, width: number): string {
  if (lengthOf(text) <= width) return text;
  return `${Array.from(text)
    .slice(0, width - 1)
    .join('')}…`;
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - lengthOf(text)));
}
