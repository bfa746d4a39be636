import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { maxClientLineBytes } from '../../channels/terminal/terminal-protocol.js';
import { readSaidText } from './said-text.js';

interface Said {
  readonly text: string | undefined;
  readonly notes: readonly string[];
}

/** `piped`: undefined: a person sits there; null: the input is open and says nothing. */
async function say(words: readonly string[], piped: string | null | undefined): Promise<Said> {
  const input: PassThrough & { isTTY?: boolean } = new PassThrough();
  if (piped === undefined) input.isTTY = true;
  else if (piped !== null) input.end(piped);
  const notes: string[] = [];
  const text = await readSaidText({ words, input, silenceMs: 5, note: (one) => notes.push(one) });
  return { text, notes };
}

describe('what is said with one command', () => {
  it.each([
    ['its words', ['good', 'morning'], undefined, 'good morning'],
    ['its words where nothing is piped', ['hi'], '', 'hi'],
    ['its words and what is piped, as one message', ['sum', 'up:'], 'a\nb\n', 'sum up:\n\na\nb'],
    ['what is piped, as one message', [], 'one\n\ntwo\n', 'one\n\ntwo'],
    ['nothing yet where a person sits there', [], undefined, undefined],
    ['nothing where nothing is piped', [], ' \n', ''],
    ['what is piped where it says to wait', ['sum', 'up', '-'], 'a', 'sum up\n\na'],
  ])('is %s', async (_what, words, piped, expected) => {
    expect(await say(words, piped)).toEqual({ text: expected, notes: [] });
  });

  it('is its words where the input is left open and says nothing, and a remark', async () => {
    const { text, notes } = await say(['hi'], null);
    expect(text).toBe('hi');
    expect(notes).toEqual([expect.stringContaining('it is left out')]);
  });

  it('waits for the rest once something has come', async () => {
    const input = new PassThrough();
    const notes: string[] = [];
    const note = (one: string): number => notes.push(one);
    const slow = readSaidText({ words: ['hi'], input, silenceMs: 20, note });
    input.write('slow ');
    // Another input says nothing for as long: its silence is over when this one's would be.
    const silent = new PassThrough();
    expect(await readSaidText({ words: ['yo'], input: silent, silenceMs: 60, note })).toBe('yo');
    expect(notes).toHaveLength(1);
    input.end('end');
    expect(await slow).toBe('hi\n\nslow end');
    expect(notes).toHaveLength(1);
  });

  it('refuses what no message can hold', async () => {
    const piped = 'x'.repeat(maxClientLineBytes + 1);
    await expect(say([], piped)).rejects.toMatchObject({ code: 'invalid_input' });
  });
});
