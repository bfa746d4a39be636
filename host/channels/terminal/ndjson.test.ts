import { describe, expect, it } from 'vitest';
import { LineSplitter, type LineItem } from './ndjson.js';

function split(maxBytes: number, ...chunks: (string | Buffer)[]): LineItem[] {
  const splitter = new LineSplitter(maxBytes);
  const items = chunks.flatMap((chunk) => splitter.push(Buffer.from(chunk)));
  return [...items, ...splitter.end()];
}

function line(text: string): LineItem {
  return { kind: 'line', text };
}

describe('LineSplitter', () => {
  it.each<[string, string[], LineItem[]]>([
    ['cuts one chunk into its lines', ['a\nb\n'], [line('a'), line('b')]],
    ['joins a line from several chunks', ['he', 'll', 'o\nx\n'], [line('hello'), line('x')]],
    ['leaves empty lines out', ['\n \n\r\na\n'], [line('a')]],
    ['takes what is left at the end as a line', ['a\nb'], [line('a'), line('b')]],
    ['gives nothing for nothing', ['', ''], []],
  ])('%s', (_title, chunks, expected) => {
    expect(split(100, ...chunks)).toEqual(expected);
  });

  it('keeps a character that lies across chunks whole, wherever it is cut', () => {
    const bytes = Buffer.from('grüß dich 👋\n');
    for (let at = 0; at <= bytes.length; at += 1) {
      const items = split(100, bytes.subarray(0, at), bytes.subarray(at));
      expect(items).toEqual([line('grüß dich 👋')]);
    }
  });

  it('takes a line of exactly the allowed length', () => {
    expect(split(5, '12345\n')).toEqual([line('12345')]);
  });

  it('reports an oversized line once, skips the rest of it and goes on', () => {
    const items = split(5, 'a\n123', '456', '789'.repeat(100), '\nb\n');
    expect(items).toEqual([line('a'), { kind: 'oversized' }, line('b')]);
  });

  it('tells an oversized line apart from the next oversized one', () => {
    const items = split(2, 'aaa\nbbb\nc\n');
    expect(items).toEqual([{ kind: 'oversized' }, { kind: 'oversized' }, line('c')]);
  });

  it('reports an oversized line before its end has come', () => {
    const splitter = new LineSplitter(3);
    expect(splitter.push(Buffer.from('1234'))).toEqual([{ kind: 'oversized' }]);
    expect(splitter.end()).toEqual([]);
  });

  it('reports a line that is not UTF-8', () => {
    const items = split(100, Buffer.from([0x61, 0xff, 0x0a]), 'b\n');
    expect(items).toEqual([{ kind: 'garbled' }, line('b')]);
  });

  it('puts a long line together that trickles in byte by byte', () => {
    const text = 'x'.repeat(100_000);
    const splitter = new LineSplitter(200_000);
    for (const byte of Buffer.from(text)) splitter.push(Buffer.from([byte]));
    expect(splitter.push(Buffer.from('\n'))).toEqual([line(text)]);
  });
});
