import { describe, expect, it } from 'vitest';
import {
  decideUnrecorded,
  type UnrecordedFacts,
  type UnrecordedPlace,
  type UnrecordedRow,
} from './unrecorded-sends.js';

const now = '2026-01-31T12:00:00.000Z';

describe('a reply of which nobody knows whether it was sent', () => {
  const row: UnrecordedRow = {
    id: 'o-1',
    seq: 3,
    timestamp: '2026-01-31T11:59:00.000Z',
    deliverAfter: null,
  };
  const old = '2026-01-30T12:00:00.000Z';
  const place: UnrecordedPlace = { isProven: false, newerCount: 0 };
  const facts: UnrecordedFacts = { now, unsent: new Set(), isSomethingWaiting: false };
  const waiting = { isSomethingWaiting: true };

  it.each<
    [string, Partial<UnrecordedRow>, Partial<UnrecordedPlace>, Partial<UnrecordedFacts>, string]
  >([
    ['a minute old', {}, {}, {}, 'unknown'],
    ['a day old', { timestamp: old }, {}, {}, 'sent'],
    ['a day old while something waits', { timestamp: old }, {}, waiting, 'unknown'],
    ['of no readable time', { timestamp: 'yesterday' }, {}, {}, 'unknown'],
    ['before one that was sent', {}, { isProven: true }, waiting, 'sent'],
    ['one of the last twenty', {}, { newerCount: 19 }, waiting, 'unknown'],
    ['before the last twenty', {}, { newerCount: 20 }, waiting, 'sent'],
    ['to be tried again', {}, { isProven: true }, { unsent: new Set(['o-1']) }, 'send'],
    ['planned for later', { deliverAfter: '2026-02-01T00:00:00.000Z' }, {}, {}, 'send'],
    ['planned for earlier', { deliverAfter: old, timestamp: old }, {}, {}, 'sent'],
  ])('%s', (_, rowFields, placeFields, factFields, expected) => {
    const verdict = decideUnrecorded(
      { ...row, ...rowFields },
      { ...place, ...placeFields },
      { ...facts, ...factFields },
    );
    expect(verdict).toBe(expected);
  });
});
