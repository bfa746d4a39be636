import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { TerminalOutput, type TerminalOutputDeps } from './terminal-output.js';

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
