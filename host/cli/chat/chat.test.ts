import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ScriptedDaemon } from '../../../test/fakes/scripted-daemon.js';
import { TerminalClient } from '../../channels/terminal/terminal-client.js';
import { maxClientLineBytes } from '../../channels/terminal/terminal-protocol.js';
import { runChat, type ChatOptions } from './chat.js';
import { until } from '../../../test/fakes/waiting.js';

/** Returns what a stream was given, as text. */
function record(stream: PassThrough): () => string {
  const chunks: string[] = [];
  stream.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk));
  return () => chunks.join('');
}

describe('runChat', () => {
  let folder: string;
  let daemon: ScriptedDaemon;
  let running: Promise<unknown>[];
  let input: PassThrough & { isTTY?: boolean };
  let output: PassThrough & { isTTY?: boolean };
  let errors: PassThrough;
  let interrupt: AbortController;
  let printed: () => string;
  let remarked: () => string;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'berth-chat-'));
    daemon = new ScriptedDaemon(join(folder, 'terminal.sock'));
    running = [];
    input = new PassThrough();
    output = new PassThrough();
    errors = new PassThrough();
    interrupt = new AbortController();
    printed = record(output);
    remarked = record(errors);
    await daemon.start();
  });

  afterEach(async () => {
    interrupt.abort();
    await Promise.allSettled(running);
    await daemon.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function chat(more: Partial<ChatOptions> = {}): Promise<number> {
    const code = runChat({
      text: undefined,
      platformId: 'local',
      threadId: null,
      sender: 'me',
      json: false,
      client: new TerminalClient(daemon),
      io: { input, output, errors, interrupted: interrupt.signal },
      ...more,
    });
    running.push(code);
    return code;
  }

  function chatAtPrompt(): Promise<number> {
    input.isTTY = true;
    output.isTTY = true;
    return chat();
  }

  describe('with a text', () => {
    it('prints the reply and ends when the message has been dealt with', async () => {
      expect(await chat({ text: 'hello' })).toBe(0);
      expect(printed()).toBe('echo: hello\n');
      expect(remarked()).toBe('');
    });

    it('prints every reply as it comes, and the paths of files', async () => {
      let goOn: () => void = () => undefined;
      const moment = new Promise<void>((resolve) => (goOn = resolve));
      daemon.answer = async (_event, messageId) => {
        await daemon.reply('one', messageId);
        await moment;
        await daemon.reply('two', messageId, [{ name: 'a.txt', path: '/x/a.txt' }]);
        daemon.done(messageId);
      };
      const code = chat({ text: 'hello' });
      await until(() => {
        expect(printed()).toBe('one\n');
      });
      goOn();
      expect(await code).toBe(0);
      expect(printed()).toBe('one\ntwo\n[file a.txt: /x/a.txt]\n');
    });

    it('prints one JSON object for each reply with --json', async () => {
      expect(await chat({ text: 'hello', json: true })).toBe(0);
      expect(JSON.parse(printed())).toMatchObject({
        type: 'reply',
        text: 'echo: hello',
        files: [],
      });
    });

    it('prints what else is said in the chat apart from the replies', async () => {
      daemon.answer = async (event, messageId) => {
        await daemon.reply('by the way', null);
        await daemon.reply('to somebody else', 'm-other');
        await daemon.echo(event, messageId);
      };
      expect(await chat({ text: 'hello' })).toBe(0);
      expect(printed()).toBe('echo: hello\n');
      expect(remarked()).toBe('by the way\nto somebody else\n');
    });

    it('knows a reply that is faster than the acknowledgement', async () => {
      daemon.beforeAck = (event, messageId) => daemon.echo(event, messageId);
      daemon.answer = () => Promise.resolve();
      expect(await chat({ text: 'hello' })).toBe(0);
      expect(printed()).toBe('echo: hello\n');
    });

    it('says so where the message is done and nothing was answered', async () => {
      daemon.answer = (_event, messageId) => {
        daemon.done(messageId);
        return Promise.resolve();
      };
      expect(await chat({ text: 'hello' })).toBe(0);
      expect(printed()).toBe('');
      expect(remarked()).toContain('Done, without an answer.');
    });

    it('ends with 1 when the message failed, after printing what was said', async () => {
      daemon.answer = async (_event, messageId) => {
        await daemon.reply('sorry', messageId);
        daemon.done(messageId, 'failed');
      };
      expect(await chat({ text: 'hello' })).toBe(1);
      expect(printed()).toBe('sorry\n');
      expect(remarked()).toContain('The message failed');
    });

    it('ends with 1 when the message was refused, and says why', async () => {
      daemon.outcome = { kind: 'refused', reason: 'no agent is wired to this chat' };
      expect(await chat({ text: 'hello' })).toBe(1);
      expect(printed()).toBe('');
      expect(remarked()).toContain('no agent is wired to this chat');
    });

    it('does not wait for an answer to what is only context', async () => {
      daemon.outcome = { kind: 'accepted', messageId: 'm-1', contextOnly: true };
      expect(await chat({ text: 'hello' })).toBe(0);
      expect(remarked()).toContain('nobody answers it now');
    });

    it('ends with 130 on ctrl-c', async () => {
      daemon.answer = () => Promise.resolve();
      const code = chat({ text: 'hello' });
      await until(() => {
        expect(daemon.inbound).toHaveLength(1);
      });
      interrupt.abort();
      expect(await code).toBe(130);
    });

    it('says once that it still waits when nothing comes', async () => {
      daemon.answer = () => Promise.resolve();
      const code = chat({ text: 'hello', quietMs: 20 });
      await until(() => {
        expect(remarked()).toBe('Still waiting for an answer …\n');
      });
      daemon.done(daemon.taken[0]!);
      expect(await code).toBe(0);
    });

    it('says what the message waits for, where that is known', async () => {
      daemon.answer = () => Promise.resolve();
      const findWait = (id: string): string | undefined =>
        id === daemon.taken[0] ? 'try 2 of 5 (in 10s)' : undefined;
      void chat({ text: 'hello', quietMs: 20, findWait }).catch(() => undefined);
      await until(() => {
        expect(remarked()).toBe('Still waiting for an answer: try 2 of 5 (in 10s)\n');
      });
    });

    it('throws when no daemon runs', async () => {
      await daemon.stop();
      await expect(chat({ text: 'hello' })).rejects.toMatchObject({ code: 'daemon_not_running' });
    });

    it('throws when the text is too long', async () => {
      const text = 'x'.repeat(maxClientLineBytes);
      await expect(chat({ text })).rejects.toMatchObject({ code: 'invalid_input' });
    });

    it('lives through a restart of the daemon, and gets one answer', async () => {
      daemon.answer = () => Promise.resolve();
      const code = chat({ text: 'hello' });
      await until(() => {
        expect(daemon.inbound).toHaveLength(1);
      });
      await daemon.stop();
      daemon.answer = (event, messageId) => daemon.echo(event, messageId);
      await daemon.start();
      expect(await code).toBe(0);
      expect(printed()).toBe('echo: hello\n');
      expect(new Set(daemon.inbound.map((event) => event.platformMessageId)).size).toBe(1);
      expect(remarked()).toContain('Connected again.');
    });

    it('gives up on a daemon that does not come back', async () => {
      daemon.answer = () => Promise.resolve();
      const code = chat({ text: 'hello', reconnectMs: 60 });
      const rejected = expect(code).rejects.toMatchObject({ code: 'daemon_not_running' });
      await until(() => {
        expect(daemon.inbound).toHaveLength(1);
      });
      await daemon.stop();
      await rejected;
    });

    it('does not let an agent steer the terminal', async () => {
      output.isTTY = true;
      daemon.answer = async (_event, messageId) => {
        await daemon.reply('a\u001b]0;title\u0007b\r\n\tc', messageId);
        daemon.done(messageId);
      };
      await chat({ text: 'hello' });
      expect(printed()).toBe('a]0;titleb\n\tc\n');
    });
  });

  describe('with lines from a pipe', () => {
    it('sends each line, and ends when all have been dealt with', async () => {
      const code = chat();
      input.write('one\n\ntwo\n');
      input.end('three');
      expect(await code).toBe(0);
      expect(daemon.inbound.map((event) => event.text)).toEqual(['one', 'two', 'three']);
      expect(printed()).toBe('echo: one\necho: two\necho: three\n');
    });

    it('ends with 1 when one of them failed', async () => {
      daemon.answer = (event, messageId) => {
        daemon.done(messageId, event.text === 'bad' ? 'failed' : 'completed');
        return Promise.resolve();
      };
      const code = chat();
      input.end('good\nbad\ngood\n');
      expect(await code).toBe(1);
      expect(daemon.inbound).toHaveLength(3);
    });

    it('goes on after a line that is too long', async () => {
      const code = chat();
      input.end(`${'x'.repeat(maxClientLineBytes)}\nshort\n`);
      expect(await code).toBe(1);
      expect(printed()).toBe('echo: short\n');
      expect(remarked()).toContain('too long');
    });

    it('ends at once when nothing comes', async () => {
      const code = chat();
      input.end();
      expect(await code).toBe(0);
    });

    it('sends hundreds of lines in order', async () => {
      const texts = Array.from({ length: 500 }, (_, n) => `line ${n}`);
      const code = chat();
      input.end(texts.join('\n'));
      expect(await code).toBe(0);
      expect(daemon.inbound.map((event) => event.text)).toEqual(texts);
    });
  });

  describe('at a prompt', () => {
    it('asks for kept replies first, and prints what comes', async () => {
      const code = chatAtPrompt();
      await until(() => {
        expect(daemon.listening).toEqual(['local']);
      });
      await daemon.reply('kept for you', null);
      await until(() => {
        expect(printed()).toContain('kept for you\n');
      });
      input.write('/quit\r');
      expect(await code).toBe(0);
    });

    it('says how to leave, and that an answer which is still to come is kept', async () => {
      daemon.answer = () => Promise.resolve();
      const code = chatAtPrompt();
      expect(printed()).not.toContain('kept');
      input.write('hello\r');
      await until(() => {
        expect(daemon.inbound).toHaveLength(1);
      });
      expect(printed()).toContain('ctrl-d or /quit leaves');
      // The ack has come when the farewell does not wait for it.
      await daemon.reply('one of two', null);
      await until(() => {
        expect(printed()).toContain('one of two');
      });
      input.write('\u0004');
      expect(await code).toBe(0);
      expect(remarked()).toBe('What is answered meanwhile is kept for the next `berth chat`.\n');
    });

    it('draws the line that is being typed anew below a reply', async () => {
      const code = chatAtPrompt();
      await until(() => {
        expect(daemon.listening).toEqual(['local']);
      });
      input.write('half a li');
      await daemon.reply('meanwhile', null);
      await until(() => {
        expect(printed()).toMatch(/meanwhile\n[^\n]*you> half a li/u);
      });
      input.write('ne\r');
      await until(() => {
        expect(daemon.inbound.map((event) => event.text)).toEqual(['half a line']);
      });
      input.end();
      expect(await code).toBe(0);
    });

    it('hands over what was typed last before it leaves', async () => {
      const code = chatAtPrompt();
      input.write('bye\r/quit\r');
      expect(await code).toBe(0);
      expect(daemon.inbound.map((event) => event.text)).toEqual(['bye']);
    });

    it('ends with 130 on ctrl-c', async () => {
      const code = chatAtPrompt();
      await until(() => {
        expect(printed()).toContain('you> ');
      });
      input.write('\u0003');
      expect(await code).toBe(130);
    });

    it('keeps what is typed while the daemon is away, and sends it once', async () => {
      const code = chatAtPrompt();
      await until(() => {
        expect(daemon.listening).toEqual(['local']);
      });
      await daemon.stop();
      await until(() => {
        expect(printed()).toContain('The connection to the daemon broke');
      });
      input.write('are you there?\r');
      await daemon.start();
      await until(() => {
        expect(printed()).toContain('echo: are you there?');
      });
      expect(printed()).toContain('Connected again.');
      expect(daemon.inbound).toHaveLength(1);
      input.write('/quit\r');
      expect(await code).toBe(0);
    });

    it('sends what a stopping daemon did not take to the next one', async () => {
      const code = chatAtPrompt();
      await until(() => {
        expect(daemon.listening).toEqual(['local']);
      });
      daemon.refuse();
      input.write('hello\r');
      await daemon.stop();
      await daemon.start();
      await until(() => {
        expect(printed()).toContain('echo: hello');
      });
      input.write('/quit\r');
      expect(await code).toBe(0);
    });
  });
});
