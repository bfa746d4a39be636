/** A line of `npm run figures`: what was counted, what it is to be, and where a person finds the worst of it. */

export interface Figure {
  readonly what: string;
  readonly value: string;
  /** The value that it is to reach, as it is shown; '' where it only says how things are. */
  readonly reach: string;
  /** Undefined where there is nothing to reach. */
  readonly isReached: boolean | undefined;
  /** Where it is worst, or what it is made of. */
  readonly where?: string;
}

const columns = { what: 38, value: 10, reach: 12 };
const width = 80;

/** A figure that is to be at most `limit`. */
export function atMostFigure(what: string, value: number, limit: number, where = ''): Figure {
  const shown = formatCount(value);
  return {
    what,
    value: shown,
    reach: `≤ ${formatCount(limit)}`,
    isReached: value <= limit,
    where,
  };
}

/** A figure that has no bound: it is there to be seen. */
export function plainFigure(what: string, value: number | string, where = ''): Figure {
  const shown = typeof value === 'string' ? value : formatCount(value);
  return { what, value: shown, reach: '', isReached: undefined, where };
}

export function withoutReach(figure: Figure): Figure {
  return { ...figure, reach: '', isReached: undefined };
}

/** A table of at most 80 columns; what says where a figure is worst stands on lines of its own. */
export function renderFigures(title: string, figures: readonly Figure[]): string {
  const lines = figures.flatMap((figure) => [lineOf(figure), ...remarkLines(figure.where ?? '')]);
  return [title, '-'.repeat(width), ...lines, ''].join('\n');
}

function lineOf({ what, value, reach, isReached }: Figure): string {
  const verdict = isReached === undefined ? '' : isReached ? 'reached' : 'NOT REACHED';
  const cells = [
    what.padEnd(columns.what),
    value.padStart(columns.value),
    reach.padStart(columns.reach),
    `   ${verdict}`,
  ];
  return cells.join('').trimEnd();
}

function remarkLines(text: string): readonly string[] {
  const indent = '    ';
  const lines: string[] = [];
  for (const word of text.split(' ').filter((one) => one !== '')) {
    const last = lines.at(-1);
    if (last !== undefined && `${last} ${word}`.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(`${indent}${word}`);
    }
  }
  return lines;
}

function formatCount(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString('en-US') : value.toFixed(1);
}
