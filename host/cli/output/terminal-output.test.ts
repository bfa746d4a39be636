import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { columnsOf, TerminalOutput, type TerminalOutputDeps } from './terminal-output.js';

describe('a failure', () => {
  it('is broken at words on a terminal only, its own line ends kept', () => {
    const failure = { code: 'x', message: 'one\ntwo three', next: 'See `berth logs`.' };
    const say = (columns?: number): string => {
      const stderr = Object.assign(new PassThrough(), { isTTY: columns !== undefined, columns });
      const stdout = new PassThrough();
      new TerminalOutput({ stdout, stderr, isJson: () => false } as TerminalOutputDeps).failure(
        failure,
      );
      return String(stderr.read());
    };
    expect(say()).toBe('one\ntwo three\nSee `berth logs`.\n');
    expect(say(8)).toBe('one\ntwo\nthree\nSee\n`berth logs`.\n');
  });
});

describe('what a command prints', () => {
  it.each([true, false])(
    'means the same as JSON, and holds nothing a terminal obeys (%s)',
    (isNote) => {
      const stdout = new PassThrough();
      const stderr = new PassThrough();
      const output = new TerminalOutput({ stdout, stderr, isJson: () => true });
      const value = { text: 'a\u009b31m\u202eb\u2066c\u007f\u001b[0m é 👍' };
      if (isNote) output.note(JSON.stringify(value));
      else output.result(value, () => '');
      const printed = String((isNote ? stderr : stdout).read());
      expect(JSON.parse(printed)).toEqual(value);
      expect(printed).not.toMatch(/(?!\n)[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
      expect(printed).toContain('é 👍');
    },
  );
});

describe('the width of a terminal', () => {
  it.each([
    [undefined, 80],
    [0, 80],
    [-1, 80],
    [8, 8],
    [100, 100],
    [60_000, 60_000],
  ])('that says %s is %d columns', (columns, expected) => {
    const stream = Object.assign(new PassThrough(), columns === undefined ? {} : { columns });
    expect(columnsOf(stream)).toBe(expected);
  });
});

describe('output that cannot be written', () => {
  it.each([
    ['EPIPE', undefined],
    ['ENOSPC', 'the disk is full'],
    ['EIO', 'broken'],
  ])('by %s is a failure unless only its reader has gone', (code, expected) => {
    const stdout = new PassThrough();
    const output = new TerminalOutput({ stdout, stderr: new PassThrough(), isJson: () => false });
    output.start();
    stdout.emit('error', Object.assign(new Error('broken'), { code }));
    expect(output.closed.aborted).toBe(true);
    if (expected === undefined) expect(output.unwritten).toBeUndefined();
    else expect(output.unwritten?.message).toContain(expected);
  });
});
