import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { channelContract } from '../../../test/contracts/channel-contract.js';
import { RawTerminal } from '../../../test/fakes/raw-terminal.js';
import { newId } from '../../../shared/base/ids.js';
import { silentLogger } from '../../../shared/base/logger.js';
import { TerminalChannel } from './terminal-channel.js';
import { maxClientLineBytes } from './terminal-protocol.js';
import { until } from '../../../test/fakes/waiting.js';

channelContract('terminal', () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-terminal-'));
  const socketPath = join(folder, 'data', 'terminal.sock');
  const id = 'ops';
  const channel = new TerminalChannel({
    id,
    place: { path: socketPath, isHomesOwn: true },
    newId,
    log: silentLogger,
  });
  const terminals: RawTerminal[] = [];
  const open = async (): Promise<RawTerminal> => {
    const terminal = await RawTerminal.connect(socketPath);
    terminals.push(terminal);
    return terminal;
  };
  return Promise.resolve({
    id,
    channel,
    async write(platformId, { id, text }) {
      const terminal = await open();
      terminal.write({ type: 'message', platformId, threadId: null, sender: 'me', text, id });
      const answer = await until(() => {
        const line = terminal.lines.find(({ type }) => type === 'ack' || type === 'error');
        if (line === undefined) throw new Error('no answer yet');
        return line;
      });
      if (answer['type'] !== 'ack') return { kind: 'not-acknowledged' };
      const messageId = String(answer['messageId']);
      return { kind: 'acknowledged', messageId, isDuplicate: answer['duplicate'] === true };
    },
    async join(platformId) {
      const terminal = await open();
      terminal.write({ type: 'subscribe', platformId });
      // Lines are answered in order, so the answer to a bad one shows that the subscription holds.
      terminal.write('?\n');
      await terminal.waitFor('error');
      return {
        get received() {
          return terminal.lines
            .filter(({ type }) => type === 'reply')
            .map((line) => String(line['text']));
        },
        break: () => terminal.close(),
      };
    },
    async sendGarbage() {
      const terminal = await open();
      const bad = ['not json\n', '[]\n', 'null\n', '{"type":"nonsense"}\n', '{"type":"message"}\n'];
      for (const text of bad) terminal.write(text);
      terminal.write(Buffer.from([0xff, 0xfe, 0x0a]));
      terminal.write(`${'x'.repeat(maxClientLineBytes + 1)}\n`);
      await terminal.waitFor('error', bad.length + 2);
    },
    async isReachable() {
      try {
        await open();
        return true;
      } catch {
        return false;
      }
    },
    async close() {
      for (const terminal of terminals) await terminal.close();
      rmSync(folder, { recursive: true, force: true });
    },
  });
});
