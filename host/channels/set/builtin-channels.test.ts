import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { builtinChannels } from './builtin-channels.js';
import { parseChannelConfig } from '../channel-type.js';
import { terminalType } from '../terminal/terminal-type.js';

describe('the types of channels that ship', () => {
  it('are these, each once', () => {
    expect(builtinChannels.map(({ type }) => type)).toEqual(['terminal']);
  });

  it.each(builtinChannels.map((type) => [type.type, type] as const))(
    '%s: no key of its config asks for a secret, since config is shown and backed up in clear',
    (_name, type) => {
      for (const id of [type.type, 'another']) {
        const text = JSON.stringify(z.toJSONSchema(type.configFor(id)));
        expect(text).not.toMatch(/token|secret|password|credential|api-?key/i);
      }
    },
  );
});

describe('the config of a terminal', () => {
  it('may name its socket', () => {
    const config = { socketPath: 'ops.sock' };
    expect(parseChannelConfig(terminalType, 'ops', config)).toEqual(config);
    expect(parseChannelConfig(terminalType, 'ops', {})).toEqual({});
  });

  it.each<[string, unknown, string, string]>([
    ['ops', { socket: 'x' }, 'it cannot have "socket"', 'It may have: socketPath.'],
    ['ops', { socketPath: '' }, 'socketPath must not be empty', 'It may have: socketPath.'],
    ['ops', 7, 'it must be an object', 'It may have: socketPath.'],
    ['terminal', { socketPath: 'x' }, 'it cannot have "socketPath"', 'It has nothing to set.'],
  ])('of %s is refused with %j', (id, config, why, next) => {
    expect(() => parseChannelConfig(terminalType, id, config)).toThrow(
      expect.objectContaining({
        code: 'invalid_input',
        message: `The config of a terminal channel cannot be used: ${why}.`,
        next,
      }),
    );
  });
});
