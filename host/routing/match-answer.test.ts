import { describe, expect, it } from 'vitest';
import { matchAnswer } from './match-answer.js';

const colours = {
  options: ['Red', 'Dark blue', '3'],
  freeText: false,
  askedUser: null,
  address: { channelType: 'fake', platformId: 'chat-1', threadId: null },
};

describe('an answer to a question', () => {
  it.each([
    ['the label', 'Red', 'Red'],
    ['the label in any case, with spaces and a full stop', ' dark BLUE. ', 'Dark blue'],
    ['the number', '2', 'Dark blue'],
    ['a label that is a number', '3', '3'],
    ['a number that is too great', '4', undefined],
    ['nothing', '  ', undefined],
    ['a sentence with the label in it', 'red or blue?', undefined],
    ['letters that were composed in another way', 'Re\u0064', 'Red'],
  ])('is %s', (_what, text, option) => {
    const answer = matchAnswer(colours, { text, senderId: 'ann', threadId: null });
    expect(answer).toEqual(option === undefined ? undefined : { option, text });
  });

  it('is a label before it is a number', () => {
    const numbers = { ...colours, options: ['2', '1'] };
    const say = (text: string) => matchAnswer(numbers, { text, senderId: 'ann', threadId: null });
    expect([say('1')?.option, say('2')?.option]).toEqual(['1', '2']);
  });

  it('is any text where the question says so, and still the option where it is one', () => {
    const free = { ...colours, freeText: true };
    const say = (text: string) => matchAnswer(free, { text, senderId: 'ann', threadId: null });
    expect(say('green, please')).toEqual({ option: null, text: 'green, please' });
    expect(say('1')).toEqual({ option: 'Red', text: '1' });
    expect(say(' ')).toBeUndefined();
  });

  it.each([
    ['somebody else', { ...colours, askedUser: 'ann' }, { senderId: 'bob' }, false],
    ['who was asked', { ...colours, askedUser: 'ann' }, { senderId: 'ann' }, true],
    ['another thread', colours, { threadId: 't-1' }, false],
    [
      'the same thread',
      { ...colours, address: { ...colours.address, threadId: 't-1' } },
      { threadId: 't-1' },
      true,
    ],
  ])('from %s counts as it should', (_who, question, said, counts) => {
    const message = { text: 'red', senderId: 'ann', threadId: null, ...said };
    expect(matchAnswer(question, message) !== undefined).toBe(counts);
  });

  it('needs no thread where the platform says what it answers', () => {
    const inThread = { ...colours, address: { ...colours.address, threadId: 't-1' } };
    const said = { text: 'red', senderId: 'ann', threadId: null };
    expect(matchAnswer(inThread, said, true)).toEqual({ option: 'Red', text: 'red' });
    expect(matchAnswer(inThread, { ...said, threadId: 't-9' }, true)).toBeUndefined();
  });
});
