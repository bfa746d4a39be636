import { describe, expect, it } from 'vitest';
import { newId } from '../../shared/base/ids.js';
import { silentLogger } from '../../shared/base/logger.js';
import { builtinChannels } from './builtin-channels.js';

describe('the channels that ship', () => {
  it('are made from what the daemon has', () => {
    const deps = { terminalSocketPath: '/nowhere/terminal.sock', newId, log: silentLogger };
    expect(builtinChannels.map((make) => make(deps).type)).toEqual(['terminal']);
  });
});
