import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../../shared/base/ids.js';
import { silentLogger } from '../../../shared/base/logger.js';
import type { ChannelEvent, InboundOutcome, OutboundEvent } from '../channel.js';
import { TerminalChannel } from './terminal-channel.js';
import { TerminalClient } from './terminal-client.js';
import type { TerminalLink } from './terminal-link.js';
import { maxClientLineBytes, type ServerLine } from './terminal-protocol.js';
import { until } from '../../../test/fakes/waiting.js';

describe('TerminalClient', () => {
  let folder: string;
  let socketPath: string;
  let channel: TerminalChannel;
  let client: TerminalClient;
  let links: TerminalLink[];
  let answer: (event: ChannelEvent) => Promise<InboundOutcome>;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'berth-client-'));
    socketPath = join(folder, 'terminal.sock');
    answer = (event) =>
      Promise.resolve({ kind: 'accepted', messageId: `m-${event.platformMessageId}` });
    channel = await startChannel();
    client = new TerminalClient({ socketPath });
    links = [];
  });

  afterEach(async () => {
    for (const link of links) await link.close();
    await channel.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function startChannel(): Promise<TerminalChannel> {
    const started = new TerminalChannel({
      id: 'terminal',
      place: { path: socketPath, isHomesOwn: true },
      newId,
      log: silentLogger,
      drainTimeoutMs: 10,
    });
    await started.start({ onInbound: (event) => answer(event), onListening: () => undefined });
    return started;
  }

  async function connect(): Promise<TerminalLink> {
    const link = await client.connect();
    links.push(link);
    return link;
  }

  /** Reads along until the link ends. */
  function listen(link: TerminalLink): { lines: ServerLine[]; end: Promise<unknown> } {
    const lines: ServerLine[] = [];
    const read = async (): Promise<void> => {
      for await (const line of link.events()) lines.push(line);
    };
    return { lines, end: read().catch((error: unknown) => error) };
  }

  function post(text: string, messageId: string): OutboundEvent {
    return {
      address: { channelType: 'terminal', platformId: 'local', threadId: null },
      messageId,
      inReplyTo: null,
      chat: { operation: 'post', text, files: [] },
      targetPlatformId: null,
      files: [],
    };
  }

  it('sends a message, learns that it is on disk, and receives the reply', async () => {
    const link = await connect();
    const { lines } = listen(link);
    const ack = await link.send({ platformId: 'local', text: 'hi', id: 'c-1' });
    expect(ack).toEqual({ type: 'ack', id: 'c-1', messageId: 'm-c-1' });
    await channel.send(post('hello', 'o-1'));
    await until(() => {
      expect(lines).toMatchObject([{ type: 'ack' }, { type: 'reply', text: 'hello' }]);
    });
  });

  it('gives each of several messages its own answer, also under one id', async () => {
    const link = await connect();
    const sent = ['a', 'b', 'b'].map((id) => link.send({ platformId: 'local', text: 'hi', id }));
    const answers = await Promise.all(sent);
    expect(answers.map((one) => one.type === 'ack' && one.messageId)).toEqual([
      'm-a',
      'm-b',
      'm-b',
    ]);
  });

  it('answers a refused message with the error', async () => {
    answer = () => Promise.resolve({ kind: 'refused', reason: 'nobody is wired' });
    const link = await connect();
    expect(await link.send({ platformId: 'local', text: 'hi' })).toMatchObject({
      type: 'error',
      code: 'refused',
      message: 'nobody is wired',
    });
  });

  it('leaves out what it has received, also on an earlier connection', async () => {
    const first = await connect();
    const before = listen(first);
    first.subscribe('local');
    await first.send({ platformId: 'local', text: 'hi' });
    await channel.send(post('hello', 'o-1'));
    await channel.send(post('hello', 'o-1'));
    await until(() => {
      expect(before.lines).toMatchObject([{ type: 'ack' }, { type: 'reply' }]);
    });
    await first.close();
    const second = await connect();
    const after = listen(second);
    await second.send({ platformId: 'local', text: 'again' });
    await channel.send(post('hello', 'o-1'));
    await channel.send(post('news', 'o-2'));
    await until(() => {
      expect(after.lines).toMatchObject([{ type: 'ack' }, { type: 'reply', text: 'news' }]);
    });
  });

  it('rejects what is not acked, and ends its events, when the connection breaks', async () => {
    let hasArrived = false;
    answer = () => {
      hasArrived = true;
      return new Promise(() => undefined);
    };
    const link = await connect();
    const { end } = listen(link);
    const sent = link.send({ platformId: 'local', text: 'hi' });
    await until(() => {
      expect(hasArrived).toBe(true);
    });
    const rejected = expect(sent).rejects.toMatchObject({ code: 'daemon_not_running' });
    await channel.stop();
    await rejected;
    expect(await end).toMatchObject({ code: 'daemon_not_running' });
    expect(() => {
      link.subscribe('local');
    }).toThrow('The connection to the daemon broke.');
  });

  it('ends its events quietly when it is closed', async () => {
    const link = await connect();
    const { end } = listen(link);
    await link.close();
    expect(await end).toBeUndefined();
  });

  it('does not send what the daemon would not read', async () => {
    const link = await connect();
    const text = 'x'.repeat(maxClientLineBytes);
    await expect(link.send({ platformId: 'local', text })).rejects.toMatchObject({
      code: 'invalid_input',
    });
  });

  it.each([
    ['nothing is there', 'nothing.sock'],
    ['a file is there that is no socket', 'file.sock'],
  ])('knows that no daemon runs when %s', async (_title, name) => {
    writeFileSync(join(folder, 'file.sock'), '');
    client = new TerminalClient({ socketPath: join(folder, name) });
    await expect(client.connect()).rejects.toMatchObject({
      code: 'daemon_not_running',
      next: 'Start it with `berth start --detach`.',
    });
  });

  it('ignores what it does not know', async () => {
    const path = join(folder, 'newer.sock');
    const newer = createServer((socket) => {
      socket.write(
        '{"type":"weather"}\nnot json\n{"type":"ack","id":null,"messageId":"m-1","new":1}\n',
      );
    });
    await new Promise<void>((resolve) => newer.listen(path, resolve));
    client = new TerminalClient({ socketPath: path });
    const { lines } = listen(await connect());
    await until(() => {
      expect(lines).toEqual([{ type: 'ack', id: null, messageId: 'm-1' }]);
    });
    for (const link of links) await link.close();
    await new Promise((resolve) => newer.close(resolve));
  });
});
