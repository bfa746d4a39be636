import { describe, expect, it } from 'vitest';
import { idFrom, newId } from './ids.js';

describe('ids', () => {
  it('never repeat, and say what they name', () => {
    const ids = Array.from({ length: 1_000 }, () => newId('m'));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every((id) => /^m-[0-9a-z]+$/.test(id))).toBe(true);
  });

  it('are the same for the same parts, and differ where the parts are cut differently', () => {
    expect(idFrom('m', 'chat', 'a', 'b')).toBe(idFrom('m', 'chat', 'a', 'b'));
    expect(idFrom('m', 'chat', 'ab', '')).not.toBe(idFrom('m', 'chat', 'a', 'b'));
    expect(idFrom('o', 'chat')).not.toBe(idFrom('m', 'chat'));
  });
});
