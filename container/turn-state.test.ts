import { describe, expect, it } from 'vitest';
import { TurnState } from './turn-state.js';

const written = new Map([
  ['color', 'blue'],
  ['food', 'rice'],
]);

function newState(): TurnState {
  return new TurnState((key) => written.get(key));
}

describe('the notes of a provider during a turn', () => {
  it('are read as they are written, and as this turn has changed them', () => {
    const state = newState();
    expect([state.get('color'), state.get('nothing')]).toEqual(['blue', undefined]);
    state.set('color', 'red');
    state.delete('food');
    expect([state.get('color'), state.get('food')]).toEqual(['red', undefined]);
    expect(written.get('color')).toBe('blue');
  });

  it('are written as they are at the end', () => {
    const state = newState();
    state.set('color', 'red');
    state.set('color', '');
    state.delete('food');
    state.set('new', 'x');
    expect(state.changes()).toEqual([
      { key: 'color', value: '' },
      { key: 'food', value: null },
      { key: 'new', value: 'x' },
    ]);
    expect(newState().changes()).toEqual([]);
  });

  it.each([
    ['', 'x'],
    ['k'.repeat(201), 'x'],
    ['key', 'ü'.repeat(200_000)],
  ])('are refused where they are too long, or have no key', (key, value) => {
    const state = newState();
    expect(() => {
      state.set(key, value);
    }).toThrow(expect.objectContaining({ code: 'provider_failed' }));
    expect(state.changes()).toEqual([]);
  });
});
