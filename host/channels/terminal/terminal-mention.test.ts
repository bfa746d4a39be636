import { describe, expect, it } from 'vitest';
import { findMentionedNames } from './terminal-mention.js';

describe('a mention in the terminal', () => {
  it.each([
    ['@helper hi', true],
    ['and you, @agent?', true],
    ['(@äpfel)', true],
    ['hi', false],
    ['write to me@example.org', false],
    ['it costs 3 @ 5', false],
  ])('is an @ that begins a word: %j is %s', (text, expected) => {
    expect(findMentionedNames(text).length > 0).toBe(expected);
  });

  it.each([
    '@helper',
    'x\n@helper',
    '"@helper" and so on',
    '«@helper»',
    '„@helper“',
    '**@helper**',
    '— @helper',
    'hey,@helper',
    '请看，@助手',
    '「@助手」',
    'سلام، @مساعد',
    'привет @помощник',
    '＠helper',
    '\u2068@helper\u2069',
    'an `unclosed tick and @helper',
    'see https://example.org/@bob and ask @helper',
    'me@example.org, @helper?',
    '@helper.',
    '@helper: hi',
    '@helper/@other please',
    '@n\u0303ino',
  ])('is found in %j', (text) => {
    expect(findMentionedNames(text)).toHaveLength(1);
  });

  it.each([
    'me@example.org',
    'first.last+tag@example.org',
    '<me@example.org>',
    'mailto:me@example.org',
    'почта@пример.рф',
    '用户@例子.广告',
    'δοκιμή@παράδειγμα.ελ',
    '用户＠例子.广告',
    'https://example.org/@bob',
    'https://example.org/?q=@bob',
    'https://user:@example.org',
    'https://例子.广告/@鲍勃',
    'medium.com/@bob/post',
    'www.example.org/(@bob',
    'ssh git@example.org:repo.git',
    '/home/@bob/file',
    './@types/node',
    'C:\\@bob',
    'npm i @types/node',
    'see @user@example.org',
    '`@decorator`',
    '``a ` @b``',
    '```\n@decorator\nclass X {}\n```',
    'use `npm i @types/node` here',
    '[his page](@bob)',
    '[@bob](https://example.org/bob)',
    'a@b@c',
    '3 @ 5',
    '@',
    '@ helper',
    '@@helper',
    'x.@helper',
    'a=@b',
    '#@b',
  ])('is not found in %j', (text) => {
    expect(findMentionedNames(text)).toEqual([]);
  });

  it.each([
    '@',
    '`',
    '[',
    '@a/',
    'x://',
    ' @a@',
    '`` ` ',
    '[@a](',
    'a@',
    '@' + 'a'.repeat(200) + '@b ',
  ])('is searched in a long text of %j without delay', (part) => {
    const text = part.repeat(Math.ceil(500_000 / part.length));
    const beganAt = performance.now();
    findMentionedNames(text);
    expect(performance.now() - beganAt).toBeLessThan(1_000);
  });

  it('tells the names as they are written, in their order', () => {
    expect(findMentionedNames('@helper, ask ＠our_cook or @Äpfel-2!')).toEqual([
      'helper',
      'our_cook',
      'Äpfel-2',
    ]);
  });
});
