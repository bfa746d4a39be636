import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { describeIssues } from './plain-words.js';

describe('what is wrong with a value', () => {
  it.each<[z.ZodType, unknown, string]>([
    [z.string(), 3, 'it must be text'],
    [z.string().min(1), '', 'it must not be empty'],
    [z.string().max(3), 'long', 'it must have at most 3 characters'],
    [z.coerce.number(), 'ten', 'it must be a number'],
    [z.number().int(), 1.5, 'it must be a whole number'],
    [z.number().min(64), 3, 'it must be at least 64'],
    [z.number().positive(), 0, 'it must be more than 0'],
    [z.number().max(9), 10, 'it must be at most 9'],
    [z.enum(['auto', 'docker', 'process']), 'vm', 'it must be auto, docker or process'],
    [z.strictObject({}), { a: 1, b: 2 }, 'it cannot have "a", "b"'],
    [z.object({ a: z.boolean() }), { a: 'yes' }, 'a must be true or false'],
    [z.string().regex(/^x$/, 'has to be x'), 'y', 'it has to be x'],
  ])('is told in plain words: %#', (schema, value, words) => {
    const { error } = schema.safeParse(value);
    expect(error === undefined ? '' : describeIssues(error, 'it')).toBe(words);
  });
});
