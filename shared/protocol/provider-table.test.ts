import { describe, expect, it } from 'vitest';
import { isProviderName, parseProviderOptions, providerNames } from './provider-table.js';

describe('the table of providers', () => {
  it('knows those that ship, and nothing that objects have by themselves', () => {
    expect(providerNames).toEqual(['echo']);
    expect(['echo', 'oracle', 'toString'].map(isProviderName)).toEqual([true, false, false]);
  });

  it('fills in what is left out', () => {
    expect(parseProviderOptions('echo', {})).toEqual({ prefix: 'echo: ' });
    expect(parseProviderOptions('echo', { prefix: '' })).toEqual({ prefix: '' });
  });

  it.each<[unknown, string]>([
    [{ prefix: 7 }, 'prefix must be text'],
    [{ prefix: 'x'.repeat(101) }, 'prefix must have at most 100 characters'],
    [{ volume: 11 }, 'it cannot have "volume"'],
    ['loud', 'it must be an object'],
  ])('says which option is wrong: %j', (options, why) => {
    expect(() => parseProviderOptions('echo', options)).toThrow(
      expect.objectContaining({
        code: 'invalid_input',
        message: `The options of the provider echo cannot be used: ${why}.`,
        next: 'It may have: prefix.',
      }),
    );
  });
});
