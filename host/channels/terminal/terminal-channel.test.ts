import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RawTerminal } from '../../../test/fakes/raw-terminal.js';
import { BerthError } from '../../../shared/base/errors.js';
import { newId } from '../../../shared/base/ids.js';
import { silentLogger } from '../../../shared/base/logger.js';
import type { InboundEvent, InboundOutcome, OutboundEvent } from '../channel.js';
import { defaultConnectionLimits } from './terminal-connection.js';
import { TerminalChannel, type TerminalChannelDeps } from './terminal-channel.js';
import { maxClientLineBytes } from './terminal-protocol.js';
import { until } from '../../../test/fakes/waiting.js';

function makeChannel(socketPath: string, more: Partial<TerminalChannelDeps> = {}): TerminalChannel {
  const place = { path: socketPath, isHomesOwn: true };
  return new TerminalChannel({ id: 'terminal', place, newId, log: silentLogger, ...more });
}

describe('TerminalChannel', () => {
  let folder: string;
  let socketPath: string;
  let channel: TerminalChannel;
  let terminals: RawTerminal[];
  let inbound: InboundEvent[];
  let listening: string[];
  let answer: (event: InboundEvent) => Promise<InboundOutcome>;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-terminal-'));
    socketPath = join(folder, 'terminal.sock');
    channel = makeChannel(socketPath);
    terminals = [];
    inbound = [];
    listening = [];
    answer = (event) =>
      Promise.resolve({ kind: 'accepted', messageId: `m-${event.platformMessageId}` });
  });

  afterEach(async () => {
    for (const terminal of terminals) await terminal.close();
    await channel.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(which = channel): Promise<void> {
    await which.start({
      onInbound: (event) => {
        if (event.type !== 'message') throw new Error(`the terminal knows no ${event.type}`);
        inbound.push(event);
        return answer(event);
      },
      onListening: ({ platformId }) => listening.push(platformId),
    });
  }

  async function open(): Promise<RawTerminal> {
    const terminal = await RawTerminal.connect(socketPath);
    terminals.push(terminal);
    return terminal;
  }

  async function subscribe(platformId: string): Promise<RawTerminal> {
    const terminal = await open();
    terminal.write({ type: 'subscribe', platformId });
    terminal.write('?\n');
    await terminal.waitFor('error');
    return terminal;
  }

  function post(
    platformId: string,
    text: string,
    more: Partial<OutboundEvent> = {},
  ): OutboundEvent {
    return {
      address: { channelType: 'terminal', platformId, threadId: null },
      messageId: newId('o'),
      inReplyTo: null,
      chat: { operation: 'post', text, files: [] },
      targetPlatformId: null,
      files: [],
      ...more,
    };
  }

  it('reads a message as the protocol has it, and acks it under the client id', async () => {
    await start();
    const terminal = await open();
    terminal.write(
      '{"type":"message","platformId":"local","threadId":"t","sender":"me","text":"hi","id":"c-1"}\n',
    );
    expect(await terminal.waitFor('ack')).toEqual([{ type: 'ack', id: 'c-1', messageId: 'm-c-1' }]);
    expect(inbound).toEqual([
      {
        type: 'message',
        address: { channelType: 'terminal', platformId: 'local', threadId: 't' },
        platformMessageId: 'c-1',
        sender: { id: 'me' },
        text: 'hi',
        isGroup: false,
        isMention: false,
        mentionedNames: [],
      },
    ]);
  });

  it('makes an id for a message without one, and acks it with null', async () => {
    await start();
    const terminal = await open();
    terminal.write({ type: 'message', platformId: 'local', text: 'hi' });
    terminal.write({ type: 'message', platformId: 'local', text: 'hi' });
    const acks = await terminal.waitFor('ack', 2);
    expect(acks.map((ack) => ack['id'])).toEqual([null, null]);
    expect(new Set(inbound.map((event) => event.platformMessageId)).size).toBe(2);
  });

  it('sends a reply as the protocol has it, files with their paths', async () => {
    await start();
    const terminal = await subscribe('local');
    const event = post('local', 'look', {
      inReplyTo: 'm-1',
      files: [{ name: 'a.txt', path: '/x/a.txt' }],
    });
    expect(await channel.send(event)).toEqual({ kind: 'sent', platformMessageId: event.messageId });
    expect(await terminal.waitFor('reply')).toEqual([
      {
        type: 'reply',
        platformId: 'local',
        threadId: null,
        inReplyTo: 'm-1',
        messageId: event.messageId,
        text: 'look',
        files: [{ name: 'a.txt', path: '/x/a.txt' }],
      },
    ]);
  });

  it('tells edits, reactions and the end of a message', async () => {
    await start();
    const terminal = await subscribe('local');
    const target = { targetPlatformId: 'o-1' };
    const edit = post('local', '', {
      ...target,
      chat: { operation: 'edit', messageId: 'o-1', text: 'new' },
    });
    const react = post('local', '', {
      ...target,
      chat: { operation: 'react', messageId: 'o-1', emoji: '👍' },
    });
    expect((await channel.send(edit)).kind).toBe('sent');
    expect((await channel.send(react)).kind).toBe('sent');
    channel.settled({ address: edit.address, messageId: 'm-1', status: 'failed' });
    expect(await terminal.waitFor('edit')).toMatchObject([{ target: 'o-1', text: 'new' }]);
    expect(await terminal.waitFor('react')).toMatchObject([{ target: 'o-1', emoji: '👍' }]);
    expect(await terminal.waitFor('done')).toEqual([
      { type: 'done', platformId: 'local', messageId: 'm-1', status: 'failed' },
    ]);
  });

  it.each<[string, InboundOutcome, object[]]>([
    [
      'a refused message',
      { kind: 'refused', reason: 'not on the allowlist' },
      [{ type: 'error', code: 'refused', message: 'not on the allowlist', id: 'c-1' }],
    ],
    [
      'a duplicate',
      { kind: 'duplicate', messageId: 'm-1' },
      [{ type: 'ack', id: 'c-1', messageId: 'm-1', duplicate: true }],
    ],
    [
      'a duplicate that was dealt with',
      { kind: 'duplicate', messageId: 'm-1', settled: Promise.resolve('completed') },
      [
        { type: 'ack', id: 'c-1', messageId: 'm-1', duplicate: true },
        { type: 'done', platformId: 'local', messageId: 'm-1', status: 'completed' },
      ],
    ],
    [
      'a message that is only context',
      { kind: 'accepted', messageId: 'm-1', contextOnly: true },
      [{ type: 'ack', id: 'c-1', messageId: 'm-1', contextOnly: true }],
    ],
  ])('answers %s', async (_title, outcome, expected) => {
    answer = () => Promise.resolve(outcome);
    await start();
    const terminal = await open();
    terminal.write({ type: 'message', platformId: 'local', text: 'hi', id: 'c-1' });
    await until(() => {
      expect(terminal.lines).toEqual(expected);
    });
  });

  it('says why a message was not taken, and what to do', async () => {
    answer = () =>
      Promise.reject(
        new BerthError('disk_full', 'The disk is full.', { next: 'Free some space.' }),
      );
    await start();
    const terminal = await open();
    terminal.write({ type: 'message', platformId: 'local', text: 'hi', id: 'c-1' });
    expect(await terminal.waitFor('error')).toEqual([
      {
        type: 'error',
        code: 'disk_full',
        message: 'The disk is full.',
        next: 'Free some space.',
        id: 'c-1',
      },
    ]);
  });

  it.each<[string, string, object]>([
    ['what is not JSON', '{"type":', { code: 'not_json' }],
    ['an unknown type', '{"type":"dance","id":"c-1"}', { code: 'invalid_input', id: 'c-1' }],
    ['no text', '{"type":"message","platformId":"a","id":"c"}', { code: 'invalid_input', id: 'c' }],
    ['an empty platformId', '{"type":"subscribe","platformId":""}', { code: 'invalid_input' }],
    [
      'control characters in a name',
      JSON.stringify({ type: 'message', platformId: 'a\u001b[2J', text: 'x' }),
      { code: 'invalid_input' },
    ],
    ['an oversized line', 'x'.repeat(maxClientLineBytes + 1), { code: 'line_too_long' }],
  ])('answers %s with an error, and the connection stays', async (_title, text, expected) => {
    await start();
    const terminal = await open();
    terminal.write(`${text}\n`);
    expect(await terminal.waitFor('error')).toMatchObject([expected]);
    terminal.write({ type: 'message', platformId: 'local', text: 'hi', id: 'c-2' });
    expect(await terminal.waitFor('ack')).toMatchObject([{ id: 'c-2' }]);
  });

  it('says shutting_down after refuse', async () => {
    await start();
    const terminal = await open();
    channel.refuse();
    terminal.write({ type: 'message', platformId: 'local', text: 'hi', id: 'c-1' });
    expect(await terminal.waitFor('error')).toMatchObject([{ code: 'shutting_down', id: 'c-1' }]);
  });

  it('sends a reply to all who listen', async () => {
    await start();
    const one = await subscribe('local');
    const two = await open();
    two.write({ type: 'message', platformId: 'local', text: 'hi' });
    await two.waitFor('ack');
    await channel.send(post('local', 'hello'));
    expect(await one.waitFor('reply')).toHaveLength(1);
    expect(await two.waitFor('reply')).toHaveLength(1);
  });

  it('says who listens at every subscribe, and at the first message of a connection', async () => {
    await start();
    expect(await channel.send(post('local', 'hello'))).toEqual({ kind: 'nobody-listening' });
    const terminal = await open();
    terminal.write({ type: 'message', platformId: 'local', text: '1' });
    terminal.write({ type: 'message', platformId: 'local', text: '2' });
    await terminal.waitFor('ack', 2);
    expect(listening).toEqual(['local']);
    terminal.write({ type: 'subscribe', platformId: 'local' });
    await until(() => {
      expect(listening).toEqual(['local', 'local']);
    });
  });

  it('acks later messages while the kept replies of a repeated one are still being sent', async () => {
    let release: (status: 'completed') => void = () => undefined;
    const settled = new Promise<'completed'>((resolve) => (release = resolve));
    answer = ({ text }) =>
      Promise.resolve(
        text === 'again'
          ? { kind: 'duplicate', messageId: 'm-again', settled }
          : { kind: 'accepted', messageId: `m-${text}` },
      );
    await start();
    const terminal = await open();
    for (const text of ['again', 'new']) terminal.write({ type: 'message', platformId: 'a', text });
    terminal.socket.end();
    const acks = await terminal.waitFor('ack', 2);
    expect(acks.map((ack) => ack['messageId'])).toEqual(['m-again', 'm-new']);
    expect(terminal.lines).toHaveLength(2);
    release('completed');
    expect(await terminal.waitFor('done')).toMatchObject([{ messageId: 'm-again' }]);
  });

  it('acks in the order of the messages, although later ones are written first', async () => {
    let releaseFirst: () => void = () => undefined;
    const first = new Promise<void>((resolve) => (releaseFirst = resolve));
    answer = async (event) => {
      if (event.text === '0') await first;
      return { kind: 'accepted', messageId: `m-${event.text}` };
    };
    await start();
    const terminal = await open();
    for (let n = 0; n < 5; n += 1)
      terminal.write({ type: 'message', platformId: 'a', text: `${n}` });
    await until(() => {
      expect(inbound).toHaveLength(5);
    });
    releaseFirst();
    const acks = await terminal.waitFor('ack', 5);
    expect(acks.map((ack) => ack['messageId'])).toEqual(['m-0', 'm-1', 'm-2', 'm-3', 'm-4']);
  });

  it.each([
    ['a few messages', {}, 'x', defaultConnectionLimits.linesAtOnce],
    ['few large messages', { bytesAtOnce: 20_000 }, 'x'.repeat(10_000), 2],
  ])(
    'works on %s at a time, and stops reading while more wait',
    async (_name, limit, text, atMost) => {
      let running = 0;
      let most = 0;
      answer = async (event) => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        return { kind: 'accepted', messageId: `m-${event.platformMessageId}` };
      };
      channel = makeChannel(socketPath, { limits: { ...defaultConnectionLimits, ...limit } });
      await start();
      const terminal = await open();
      const ids = Array.from({ length: 1_000 }, (_, n) => `${n}`);
      const lines = ids.map((id) => JSON.stringify({ type: 'message', platformId: 'a', text, id }));
      terminal.write(lines.map((line) => `${line}\n`).join(''));
      const acks = await terminal.waitFor('ack', 1_000);
      expect(acks.map((ack) => ack['messageId'])).toEqual(ids.map((id) => `m-${id}`));
      expect(inbound.map((event) => event.platformMessageId)).toEqual(ids);
      expect(most).toBeGreaterThan(1);
      expect(most).toBeLessThanOrEqual(atMost);
    },
  );

  it('acks what a program wrote before it closed its end, and does not take it for a listener', async () => {
    await start();
    const terminal = await open();
    terminal.socket.end(JSON.stringify({ type: 'message', platformId: 'a', text: 'x', id: 'c-1' }));
    expect(await terminal.waitFor('ack')).toMatchObject([{ id: 'c-1' }]);
    expect(await channel.send(post('a', 'hello'))).toEqual({ kind: 'nobody-listening' });
  });

  it('closes a client that does not read, and holds nobody up for it', async () => {
    channel = makeChannel(socketPath, {
      limits: {
        ...defaultConnectionLimits,
        linesAtOnce: 4,
        unreadBytes: 64 * 1024,
        writeTimeoutMs: 60_000,
        closeTimeoutMs: 50,
      },
    });
    await start();
    const slow = await subscribe('busy');
    slow.socket.pause();
    const quick = await subscribe('busy');
    const text = 'x'.repeat(32 * 1024);
    for (let n = 0; n < 40; n += 1) {
      expect((await channel.send(post('busy', text))).kind).toBe('sent');
    }
    expect(await quick.waitFor('reply', 40)).toHaveLength(40);
    slow.socket.resume();
    await until(() => {
      expect(slow.socket.closed).toBe(true);
    });
    expect(slow.lines.filter(({ type }) => type === 'reply').length).toBeLessThan(40);
  });

  it('waits for a stalled client only for so long, and then knows that nobody listens', async () => {
    channel = makeChannel(socketPath, {
      limits: { ...defaultConnectionLimits, writeTimeoutMs: 50, closeTimeoutMs: 50 },
    });
    await start();
    const stalled = await subscribe('busy');
    stalled.socket.pause();
    const text = 'x'.repeat(256 * 1024);
    const outcomes: string[] = [];
    for (let n = 0; n < 8; n += 1) outcomes.push((await channel.send(post('busy', text))).kind);
    expect(outcomes.at(-1)).toBe('nobody-listening');
  });

  it('is open to its user only, socket and folder', async () => {
    socketPath = join(folder, 'fresh', 'data', 'terminal.sock');
    channel = makeChannel(socketPath);
    await start();
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'fresh', 'data')).mode & 0o777).toBe(0o700);
    await channel.stop();
    expect(existsSync(socketPath)).toBe(false);
  });

  it('takes the place of a dead daemon’s socket', async () => {
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(socketPath, resolve));
    mkdirSync(join(folder, '.terminal'));
    await start();
    const terminal = await open();
    terminal.write({ type: 'message', platformId: 'local', text: 'hi' });
    expect(await terminal.waitFor('ack')).toHaveLength(1);
    await new Promise((resolve) => dead.close(resolve));
  });

  it('elsewhere, leaves a socket alone that still answers, and takes the place of a dead one', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(socketPath, resolve));
    const elsewhere = { place: { path: socketPath, isHomesOwn: false } };
    const refused = makeChannel(socketPath, elsewhere);
    await expect(start(refused)).rejects.toMatchObject({ code: 'in_use' });
    await refused.stop();
    expect(existsSync(socketPath)).toBe(true);
    renameSync(socketPath, `${socketPath}.kept`);
    await new Promise((resolve) => other.close(resolve));
    renameSync(`${socketPath}.kept`, socketPath);
    chmodSync(folder, 0o755);
    channel = makeChannel(socketPath, elsewhere);
    await start();
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o755);
    await open();
  });

  it('takes away nothing that has the name of its private folder', async () => {
    const precious = join(folder, '.bashrc');
    writeFileSync(precious, 'precious');
    channel = makeChannel(join(folder, 'bashrc'), {
      place: { path: join(folder, 'bashrc'), isHomesOwn: false },
    });
    await expect(start()).rejects.toMatchObject({ code: 'in_use' });
    expect(readFileSync(precious, 'utf8')).toBe('precious');
  });

  it('leaves a file alone that is no socket', async () => {
    writeFileSync(socketPath, 'precious');
    await expect(start()).rejects.toMatchObject({ code: 'in_use' });
    await channel.stop();
    expect(existsSync(socketPath)).toBe(true);
  });

  it('refuses a path that the system would cut off', async () => {
    channel = makeChannel(join(folder, 'x'.repeat(120), 'terminal.sock'));
    await expect(start()).rejects.toMatchObject({
      code: 'config_invalid',
      next: 'Set BERTH_HOME to a shorter path.',
    });
  });

  it('gives messages that are being taken a moment to be acked when it stops', async () => {
    let finish: () => void = () => undefined;
    const disk = new Promise<void>((resolve) => (finish = resolve));
    answer = async () => {
      await disk;
      return { kind: 'accepted', messageId: 'm-1' };
    };
    await start();
    const terminal = await open();
    terminal.write({ type: 'message', platformId: 'local', text: 'hi', id: 'c-1' });
    await until(() => {
      expect(inbound).toHaveLength(1);
    });
    const stopped = channel.stop();
    finish();
    await stopped;
    expect(await terminal.waitFor('ack')).toMatchObject([{ id: 'c-1', messageId: 'm-1' }]);
  });

  it('stops although a message never ends', async () => {
    channel = makeChannel(socketPath, { drainTimeoutMs: 20 });
    answer = () => new Promise(() => undefined);
    await start();
    const terminal = await open();
    terminal.write({ type: 'message', platformId: 'local', text: 'hi', id: 'c-1' });
    await until(() => {
      expect(inbound).toHaveLength(1);
    });
    await channel.stop();
    await until(() => {
      expect(terminal.socket.closed).toBe(true);
    });
  });
});
