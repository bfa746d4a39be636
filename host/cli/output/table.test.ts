import { describe, expect, it } from 'vitest';
import { formatFields, formatSection, formatTable, type Column } from './table.js';

interface Row {
  readonly id: string;
  readonly text: string;
}

const columns: readonly Column<Row>[] = [
  { title: 'id', value: ({ id }) => id, whole: true },
  { title: 'text', value: ({ text }) => text },
];

function table(rows: readonly Row[], width = Number.POSITIVE_INFINITY): string {
  return formatTable(columns, rows, width, 'nothing');
}

describe('a table', () => {
  it('lines up its columns below their titles', () => {
    expect(
      table([
        { id: 'a', text: 'one' },
        { id: 'long-id', text: 'two' },
      ]),
    ).toBe('id       text\na        one\nlong-id  two');
  });

  it('says what it is told to where there are no rows', () => {
    expect(table([])).toBe('nothing');
  });

  it('cuts what is too wide, but never an id', () => {
    expect(table([{ id: 'an-id-of-20-letters!', text: 'a rather long text' }], 32)).toBe(
      'id                    text\nan-id-of-20-letters!  a rather …',
    );
  });

  it('has below each row what may not be cut and does not fit, broken at words', () => {
    const wordy: readonly Column<Row>[] = [columns[0]!, { ...columns[1]!, below: true }];
    const rows = [
      { id: 'a', text: 'it took longer than 5 s' },
      { id: 'b', text: 'no' },
    ];
    expect(formatTable(wordy, rows, 80, '')).toBe(table(rows));
    expect(formatTable(wordy, rows, 16, '')).toBe('id\na\n  it took longer\n  than 5 s\nb\n  no');
  });

  it('is wider than the terminal rather than unreadable', () => {
    const [, row] = table([{ id: 'an-id-of-20-letters!', text: 'a rather long text' }], 10).split(
      '\n',
    );
    expect(row).toBe('an-id-of-20-letters!  a rat…');
  });

  it('keeps a row on one line and control characters out', () => {
    expect(table([{ id: 'a', text: 'one\n  two\tthree\u001b[31m\u009b\u202e' }])).toBe(
      'id  text\na   one ⏎ two three [31m',
    );
  });

  it('counts characters, not code units', () => {
    expect(
      table([
        { id: '👍', text: 'x' },
        { id: 'ab', text: 'y' },
      ]),
    ).toBe('id  text\n👍   x\nab  y');
  });
});

describe('fields and sections', () => {
  it('stand below each other, and leave out what there is not', () => {
    expect(
      formatFields([
        ['a', '1'],
        ['long', '2'],
        ['none', undefined],
      ]),
    ).toBe('a     1\nlong  2');
    expect(formatSection('Title', 'x\ny')).toBe('\n\nTitle\n  x\n  y');
    expect(formatSection('Title', '')).toBe('');
  });

  it('keeps both ends of what is cut in the middle', () => {
    const columns = [{ title: 'chat', value: (row: string) => row, cut: 'middle' as const }];
    expect(formatTable(columns, ['terminal:a-long-name-1', 'terminal:a-long-name-2'], 11, '')).toBe(
      'chat\ntermi…ame-1\ntermi…ame-2',
    );
  });

  it('breaks long values at words', () => {
    expect(
      formatFields(
        [
          ['id', 'x'],
          ['limits', 'one two three four'],
        ],
        18,
      ),
    ).toBe('id      x\nlimits  one two\n        three four');
  });
});
