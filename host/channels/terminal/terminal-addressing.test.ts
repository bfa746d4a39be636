import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../../shared/base/ids.js';
import { silentLogger } from '../../../shared/base/logger.js';
import { RawTerminal } from '../../../test/fakes/raw-terminal.js';
import type { ChannelEvent } from '../channel.js';
import { TerminalChannel } from './terminal-channel.js';

describe('whom a line of the terminal addresses', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-terminal-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    [{}, false, ['helper']],
    [{ mention: true }, true, []],
    [{ mention: false }, false, []],
  ])('is named in its text, unless it says so itself: %j', async (more, isMention, names) => {
    const inbound: ChannelEvent[] = [];
    const socketPath = join(folder, 'terminal.sock');
    const channel = new TerminalChannel({
      id: 'terminal',
      place: { path: socketPath, isHomesOwn: true },
      newId,
      log: silentLogger,
    });
    await channel.start({
      onInbound: (event) => {
        inbound.push(event);
        return Promise.resolve({ kind: 'accepted', messageId: 'm-1' });
      },
      onListening: () => undefined,
    });
    const terminal = await RawTerminal.connect(socketPath);
    terminal.write({ type: 'message', platformId: 'local', text: '@helper hi', ...more });
    await terminal.waitFor('ack');
    expect(inbound).toMatchObject([{ isMention, mentionedNames: names }]);
    await terminal.close();
    await channel.stop();
  });
});
