import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findLastError, parseLastError } from './last-error.js';

const since = Date.parse('2026-05-01T10:00:00.000Z');
const at = (second: number): string => `2026-05-01T10:00:0${second}.000Z`;

function line(fields: Record<string, unknown>): string {
  return JSON.stringify({ level: 'error', time: at(1), msg: 'runner cannot go on', ...fields });
}

describe('the last error of a runner', () => {
  it.each<readonly [string, readonly string[], string | undefined]>([
    [
      'is the message of its error',
      [line({ err: { message: 'readonly database.' } })],
      'readonly database',
    ],
    ['is what it logged, where there is no error in it', [line({})], 'runner cannot go on'],
    [
      'is the newest one',
      [line({ msg: 'first' }), line({ msg: 'second' }), line({ level: 'info', msg: 'leaving' })],
      'second',
    ],
    ['is none of an earlier run', [line({ time: '2026-05-01T09:59:59.000Z' })], undefined],
    ['is no warning', [line({ level: 'warn' })], undefined],
    [
      'is what Node prints of a crash',
      [
        line({ level: 'info' }),
        '/opt/runner.cjs:1',
        "Error: Cannot find module 'x'",
        '    at f (a:1)',
      ],
      "Cannot find module 'x'",
    ],
    [
      'is an engine of JavaScript that has no memory left',
      ['FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory'],
      'Reached heap limit Allocation failed - JavaScript heap out of memory',
    ],
    ['needs words', [line({ msg: ' \u0000\n' })], undefined],
    ['is nothing that does not parse', ['{"level":"error"', '{"level":7}', 'hello', ''], undefined],
    [
      'is one line of plain characters',
      [line({ msg: 'a\u001b[31m\nb\u202ec\ud83d' })],
      'a [31m b c',
    ],
    [
      'has no keys in it',
      [
        line({
          msg: 'bad key: sk-abc123def, token=xyzxyz1, and AAAAbbbb1111CCCCdddd2222EEEE here',
        }),
      ],
      'bad key … token … and … here',
    ],
    [
      'keeps paths',
      [line({ msg: 'The database /workspace/out/outbound.db cannot be read or written.' })],
      'The database /workspace/out/outbound.db cannot be read or written',
    ],
  ])('%s', (_, lines, expected) => {
    expect(parseLastError(lines.join('\n'), since)).toBe(expected);
  });

  it('is cut to a sane length, between characters', () => {
    const found = parseLastError(line({ msg: '🙂'.repeat(5_000) }), since) ?? '';
    expect(Array.from(found)).toHaveLength(200);
    expect(encodeURIComponent(found)).toContain('%F0%9F%99%82%E2%80%A6');
  });

  it('is read from the end of a log, however long that is, and through no link', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'berth-last-error-'));
    try {
      const path = join(dir, 's-1.log');
      writeFileSync(path, `${'x'.repeat(200_000)}\n${line({ msg: 'the end' })}\n`);
      expect(await findLastError(path, since)).toBe('the end');
      symlinkSync(path, join(dir, 'link.log'));
      expect(await findLastError(join(dir, 'link.log'), since)).toBeUndefined();
      expect(await findLastError(join(dir, 'none.log'), since)).toBeUndefined();
      expect(await findLastError(dir, since)).toBeUndefined();
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
