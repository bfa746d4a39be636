import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { TerminalOutput } from './terminal-output.js';

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
