import { describe, expect, it } from 'vitest';
import { parseContainerConfig } from './container-config.js';
import { matchesPattern, parseTriggerRules } from './trigger-rules.js';

const refused = expect.objectContaining({
  code: 'invalid_input',
  next: expect.stringContaining('like {') as string,
}) as Error;

describe('trigger rules', () => {
  it.each([
    [null, { mode: 'always', ignored: 'drop' }],
    ['{"mode":"always"}', { mode: 'always', ignored: 'drop' }],
    ['{"mode":"mention","ignored":"accumulate"}', { mode: 'mention', ignored: 'accumulate' }],
    ['{"mode":"mention-sticky"}', { mode: 'mention-sticky', ignored: 'drop' }],
    ['{"mode":"pattern","pattern":"^hey"}', { mode: 'pattern', pattern: '^hey', ignored: 'drop' }],
    [
      '{"mode":"pattern","pattern":"(a+)+$"}',
      { mode: 'pattern', pattern: '(a+)+$', ignored: 'drop' },
    ],
  ])('read %j', (json, rules) => {
    expect(parseTriggerRules(json)).toEqual(rules);
  });

  it.each([
    '',
    '{"mode":',
    'null',
    '[]',
    '"always"',
    '{}',
    '{"mode":"sometimes"}',
    '{"mode":"pattern"}',
    '{"mode":"pattern","pattern":null}',
    '{"mode":"always","pattern":"x"}',
    '{"mode":"pattern","pattern":"("}',
    '{"mode":"pattern","pattern":"(?=ahead)x"}',
    '{"mode":"pattern","pattern":"(a)\\\\1"}',
    '{"mode":"pattern","pattern":"(a{1000}){1000}"}',
    `{"mode":"pattern","pattern":"${'x'.repeat(1_001)}"}`,
    '{"mode":"mention","ignored":"keep"}',
    '{"mode":"mention","ignore":"drop"}',
  ])('refuse %j', (json) => {
    expect(() => parseTriggerRules(json)).toThrow(refused);
  });

  it.each([
    ['^hey', 'hey there', true],
    ['^hey', 'oh hey', false],
    ['(?i)deploy', 'please DEPLOY now', true],
    ['', 'anything', true],
    ['ü.*ß', 'Grüße, Straße', true],
  ])('find %j in %j: %s', (pattern, text, isFound) => {
    expect(matchesPattern(pattern, text)).toBe(isFound);
  });

  it('answer in linear time where others would never come back', () => {
    const hostile = `${'a'.repeat(20_000)}!`;
    for (const pattern of ['(a+)+$', '(a|aa)+$', '(.*a){20}$']) {
      expect(matchesPattern(pattern, hostile)).toBe(false);
    }
  });
});

describe('container configs', () => {
  const defaults = {
    network: 'none',
    memoryMb: 1_024,
    cpus: 1,
    pidsLimit: 256,
    tries: 5,
    retryBaseMs: 5_000,
    idleTimeoutMs: 600_000,
    silenceTimeoutMs: 120_000,
    turnTimeoutMs: 1_800_000,
    warmSessions: 0,
    providerOptions: {},
    keepFilesDays: 30,
    keepMessagesDays: 365,
  };

  it('have defaults', () => {
    expect(parseContainerConfig(null)).toEqual(defaults);
    expect(parseContainerConfig('{"memoryMb":64,"network":"bridge"}')).toEqual({
      ...defaults,
      memoryMb: 64,
      network: 'bridge',
    });
  });

  it.each([
    '',
    'null',
    '[]',
    '{"memoryMb":"1024"}',
    '{"memoryMb":63}',
    '{"memoryMb":100.5}',
    '{"cpus":0}',
    '{"cpus":1e9}',
    '{"pidsLimit":1}',
    '{"network":"host"}',
    '{"privileged":true}',
    '{"tries":0}',
    '{"retryBaseMs":-1}',
  ])('refuse %j', (json) => {
    expect(() => parseContainerConfig(json)).toThrow(refused);
  });

  it('say what is wrong', () => {
    expect(() => parseContainerConfig('{"memoryMb":1}')).toThrow(/memoryMb/);
  });
});
