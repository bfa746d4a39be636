import { describe, expect, it } from 'vitest';
import type { TriggerRules } from '../store/trigger-rules.js';
import { responseScopes, type ResponseScope } from '../store/wirings.js';
import { decideEngagement, type EngagementFacts } from './engagement.js';

type Asks = Record<'plain' | 'addressed' | 'inThread' | 'matching', boolean>;

const texts: Record<keyof Asks, EngagementFacts> = {
  plain: { text: 'hello', isAddressed: false, isThreadEngaged: false },
  addressed: { text: 'hello', isAddressed: true, isThreadEngaged: false },
  inThread: { text: 'hello', isAddressed: false, isThreadEngaged: true },
  matching: { text: 'run 7', isAddressed: false, isThreadEngaged: false },
};

/** Which messages an agent takes, by its trigger mode. `triggered` asks of each message more than `always` does. */
const table: readonly [TriggerRules['mode'], readonly ResponseScope[], Asks][] = [
  [
    'always',
    ['all', 'allowlisted'],
    { plain: true, addressed: true, inThread: true, matching: true },
  ],
  ['always', ['triggered'], { plain: false, addressed: true, inThread: false, matching: false }],
  ['mention', responseScopes, { plain: false, addressed: true, inThread: false, matching: false }],
  [
    'mention-sticky',
    ['all', 'allowlisted'],
    { plain: false, addressed: true, inThread: true, matching: false },
  ],
  [
    'mention-sticky',
    ['triggered'],
    { plain: false, addressed: true, inThread: false, matching: false },
  ],
  ['pattern', responseScopes, { plain: false, addressed: false, inThread: false, matching: true }],
];

const cases = table.flatMap(([mode, scopes, asks]) =>
  scopes.flatMap((scope) =>
    (['drop', 'accumulate'] as const).map((ignored) => ({ mode, scope, ignored, asks })),
  ),
);

describe('engagement', () => {
  it.each(cases)(
    'in mode $mode, scope $scope, with what is ignored to $ignored',
    ({ mode, scope, ignored, asks }) => {
      const rules: TriggerRules = { mode, ignored, ...(mode === 'pattern' && { pattern: '^run' }) };
      const otherwise = ignored === 'drop' ? 'refused' : 'context';
      for (const [name, facts] of Object.entries(texts) as [keyof Asks, EngagementFacts][]) {
        const engagement = decideEngagement(rules, scope, facts);
        expect(engagement.kind, name).toBe(asks[name] ? 'engaged' : otherwise);
        if (engagement.kind !== 'engaged') expect(engagement.reason, name).not.toBe('');
      }
    },
  );

  it('covers every mode in every scope', () => {
    expect(cases).toHaveLength(4 * 3 * 2);
  });

  it('lets an addressed message of a pattern wiring in only when it matches', () => {
    const rules: TriggerRules = { mode: 'pattern', pattern: 'deploy', ignored: 'drop' };
    const facts = { isAddressed: true, isThreadEngaged: true };
    expect(decideEngagement(rules, 'all', { ...facts, text: 'please deploy' }).kind).toBe(
      'engaged',
    );
    expect(decideEngagement(rules, 'all', { ...facts, text: 'please' }).kind).toBe('refused');
  });

  it('answers a pattern that other engines choke on', () => {
    const rules: TriggerRules = { mode: 'pattern', pattern: '(a+)+$', ignored: 'drop' };
    const facts = { isAddressed: false, isThreadEngaged: false };
    const hostile = `${'a'.repeat(20_000)}b`;
    expect(decideEngagement(rules, 'all', { ...facts, text: hostile }).kind).toBe('refused');
    expect(decideEngagement(rules, 'all', { ...facts, text: 'baa' }).kind).toBe('engaged');
  });
});
