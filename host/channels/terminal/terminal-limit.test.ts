import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../../shared/base/ids.js';
import { silentLogger } from '../../../shared/base/logger.js';
import { RawTerminal } from '../../../test/fakes/raw-terminal.js';
import { until } from '../../../test/fakes/waiting.js';
import { TerminalChannel } from './terminal-channel.js';
import { connectionLimit } from './terminal-socket.js';

describe('the number of terminal clients', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-terminal-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    [undefined, 256],
    [64, 16],
    [8, 4],
    [1_024, 256],
    [1_048_576, 2_048],
  ])('of %s file descriptors, clients of the terminal may take %s', (limit, expected) => {
    expect(connectionLimit(limit)).toBe(expected);
  });

  it('sends a client beyond the limit away with a sentence, and takes one again when another has left', async () => {
    const socketPath = join(folder, 'terminal.sock');
    const log = silentLogger;
    const channel = new TerminalChannel({
      id: 'terminal',
      place: { path: socketPath, isHomesOwn: true },
      newId,
      log,
      maxConnections: 1,
    });
    await channel.start({
      onInbound: () => Promise.resolve({ kind: 'accepted', messageId: 'm-1' }),
      onListening: () => undefined,
    });
    const terminals: RawTerminal[] = [];
    const open = async (): Promise<RawTerminal> => {
      const terminal = await RawTerminal.connect(socketPath);
      terminals.push(terminal);
      return terminal;
    };
    const first = await open();
    const second = await open();
    await until(() => {
      expect(second.lines).toMatchObject([{ type: 'error', code: 'too_many_clients' }]);
      expect(second.socket.closed).toBe(true);
    });
    await first.close();
    await until(async () => {
      const third = await open();
      third.write('?\n');
      expect(await third.waitFor('error')).toMatchObject([{ code: 'not_json' }]);
    });
    for (const terminal of terminals) await terminal.close();
    await channel.stop();
  });
});
