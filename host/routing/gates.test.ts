import { describe, expect, it } from 'vitest';
import { findGateReason } from './gates.js';

const somebody = { senderId: 'ann', adminUserId: null, allowedSenders: [] };

describe('the gate', () => {
  it.each(['all', 'triggered'] as const)('lets anybody through in scope %s', (scope) => {
    expect(findGateReason(scope, somebody)).toBeUndefined();
  });

  it.each([
    { title: 'nobody is listed', facts: somebody, isOpen: false },
    { title: 'they are the admin', facts: { ...somebody, adminUserId: 'ann' }, isOpen: true },
    {
      title: 'somebody else is the admin',
      facts: { ...somebody, adminUserId: 'bob' },
      isOpen: false,
    },
    {
      title: 'they are listed',
      facts: { ...somebody, allowedSenders: ['bob', 'ann'] },
      isOpen: true,
    },
    {
      title: 'a name that begins like theirs is listed',
      facts: { ...somebody, allowedSenders: ['anna', 'an', 'ANN'] },
      isOpen: false,
    },
  ])('of an allowlisted wiring, when $title, is open: $isOpen', ({ facts, isOpen }) => {
    const reason = findGateReason('allowlisted', facts);
    expect(reason === undefined).toBe(isOpen);
  });
});
