import { describe, expect, it } from 'vitest';
import {
  chatContent,
  describeProviderContract,
  FakeAgentPort,
  turnInput,
  turnMessage,
} from '../../test/contracts/provider-contract.js';
import { Deadline } from '../../shared/base/lifecycle.js';
import type { Destination } from '../../shared/protocol/session-message.js';
import { EchoProvider } from './echo-provider.js';
import type { Reply, TurnInput } from './provider.js';

class Exited extends Error {
  readonly code: number;

  constructor(code: number) {
    super('exited');
    this.code = code;
  }
}

const clock = { now: () => Date.UTC(2030, 0, 31, 9) };

function newEcho(): EchoProvider {
  return new EchoProvider({
    heartbeatIntervalMs: 10,
    prefix: 'echo: ',
    exit: (code) => {
      throw new Exited(code);
    },
    clock,
  });
}

describeProviderContract('echo', {
  create: newEcho,
  slowText: (ms) => `!sleep ${ms} done`,
});

const family: Destination = {
  name: 'family',
  displayName: null,
  type: 'channel',
  channelType: 'test',
  platformId: 'chat-9',
  agentGroupId: null,
};
const helper: Destination = {
  ...family,
  name: 'helper',
  type: 'agent',
  channelType: null,
  platformId: null,
  agentGroupId: 'ag-2',
};

function say(text: string, more: Partial<TurnInput> = {}): ReturnType<EchoProvider['runTurn']> {
  const input = { ...turnInput(turnMessage('m-1', chatContent(text))), ...more };
  return newEcho().runTurn(input, new FakeAgentPort());
}

function textsOf(replies: readonly Reply[]): string[] {
  return replies.map(({ content }) =>
    content.kind === 'chat' && content.chat.operation === 'post' ? content.chat.text : '',
  );
}

describe('echo', () => {
  it.each([
    ['hello', ['echo: hello']],
    ['!unknown thing', ['echo: !unknown thing']],
    ['  !burst 3 ', ['echo: 1', 'echo: 2', 'echo: 3']],
    ['!sleep 1 good morning', ['echo: good morning']],
    ['!quiet 1 good night', ['echo: good night']],
    ['!toString x', ['echo: !toString x']],
  ])('answers %j', async (text, expected) => {
    const { replies, failures } = await say(text);
    expect(textsOf(replies)).toEqual(expected);
    expect(replies.every(({ inReplyTo }) => inReplyTo === 'm-1')).toBe(true);
    expect(failures).toEqual([]);
  });

  it.each([
    '!sleep',
    '!sleep soon hello',
    '!sleep -1 hello',
    '!sleep 99999999 hello',
    '!sleep 5',
    '!quiet',
    '!quiet soon hello',
    '!burst',
    '!burst 0',
    '!burst 1001',
    '!burst 2.5',
    '!exit',
    '!exit 256',
    '!exit abc',
    '!later',
    '!later 60',
    '!later 0 hello',
    '!later soon hello',
    '!send',
    '!send family',
    '!remember',
    '!remember color',
    '!recall',
    '!recall two words',
    '!forget',
  ])('explains the command for %j', async (text) => {
    const [reply, ...others] = textsOf((await say(text)).replies);
    expect(reply).toMatch(/^Write ![a-z]+ <.+\.$/);
    expect(others).toEqual([]);
  });

  it('says what it is told after the prefix of its options', async () => {
    const exit = (): never => {
      throw new Error('exit');
    };
    const echo = new EchoProvider({ heartbeatIntervalMs: 10, exit, clock, prefix: '> ' });
    const input = turnInput(turnMessage('m-1', chatContent('hello')));
    expect(textsOf((await echo.runTurn(input, new FakeAgentPort())).replies)).toEqual(['> hello']);
  });

  it('remembers, recalls and forgets', async () => {
    const port = new FakeAgentPort();
    const say = async (text: string): Promise<readonly string[]> => {
      const input = turnInput(turnMessage('m-1', chatContent(text)));
      return textsOf((await newEcho().runTurn(input, port)).replies);
    };
    expect(await say('!recall color')).toEqual(['I remember nothing of color.']);
    expect(await say('!remember color dark blue')).toEqual(['echo: dark blue']);
    expect(await say('!recall color')).toEqual(['echo: dark blue']);
    expect(port.notes).toEqual(new Map([['color', 'dark blue']]));
    expect(await say('!forget color')).toEqual(['echo: color']);
    expect(port.notes.size).toBe(0);
  });

  it('asks for an action', async () => {
    const port = new FakeAgentPort();
    const input = turnInput(turnMessage('m-1', chatContent('!action list_tasks {"all":true}')));
    expect(await newEcho().runTurn(input, port)).toEqual({ replies: [], failures: [] });
    const action = { action: 'list_tasks', parameters: { all: true } };
    expect(port.requests).toEqual([{ inReplyTo: 'm-1', action }]);
  });

  it('fails the message that asks for it, and no other', async () => {
    const input = turnInput(
      turnMessage('m-1', chatContent('one')),
      turnMessage('m-2', chatContent('!fail')),
      turnMessage('m-3', chatContent('three')),
    );
    const { replies, failures } = await newEcho().runTurn(input, new FakeAgentPort());
    expect(textsOf(replies)).toEqual(['echo: one', 'echo: three']);
    expect(failures).toEqual([{ messageId: 'm-2', reason: 'The message asked to fail.' }]);
  });

  it('exits with the code it is given', async () => {
    await expect(say('!exit 7')).rejects.toMatchObject({ code: 7 });
  });

  it('shows no sign of life after it has begun to hang', async () => {
    const control = new FakeAgentPort();
    const input = turnInput(turnMessage('m-1', chatContent('!hang')));
    const turn = newEcho().runTurn(input, control);
    expect(await new Deadline(50).wait(turn)).toBe('late');
    expect(control.progressCount).toBe(1);
  });

  it('says later what it is to say later', async () => {
    const { replies } = await say('!later 90 good night');
    expect(textsOf(replies)).toEqual(['good night']);
    expect(replies[0]).toMatchObject({
      inReplyTo: 'm-1',
      deliverAfter: '2030-01-31T09:01:30.000Z',
    });
  });

  it('sends to a destination by its name', async () => {
    const { replies } = await say('!send family dinner is ready', { destinations: [family] });
    expect(textsOf(replies)).toEqual(['dinner is ready']);
    expect(replies[0]).toMatchObject({
      inReplyTo: null,
      address: { channelType: 'test', platformId: 'chat-9', threadId: null },
    });
  });

  it.each([
    ['!send work hi', [], 'There is no destination work: this agent has none at all.'],
    [
      '!send work hi',
      [family, helper],
      'There is no destination work. The destinations are: family, helper.',
    ],
  ])('answers %j with what is wrong', async (text, destinations, expected) => {
    expect(textsOf((await say(text, { destinations })).replies)).toEqual([expected]);
  });

  it('asks the host to pass on what it sends to an agent', async () => {
    const port = new FakeAgentPort();
    const message = turnMessage('m-1', chatContent('!send helper hi'));
    const turn = { ...turnInput(message), destinations: [helper] };
    expect((await newEcho().runTurn(turn, port)).replies).toEqual([]);
    expect(port.requests).toEqual([
      {
        inReplyTo: 'm-1',
        action: { action: 'send_to_agent', parameters: { to: 'helper', text: 'hi' } },
      },
    ]);
  });

  it('obeys tasks, names webhooks and is silent about system notices', async () => {
    const input = turnInput(
      turnMessage('m-1', { kind: 'task', task: { text: '!burst 2' } }),
      turnMessage('m-2', { kind: 'webhook', webhook: { source: 'ci', event: 'done', payload: 1 } }),
      turnMessage('m-3', { kind: 'system', system: { event: 'note', text: 'x' } }),
    );
    const { replies } = await newEcho().runTurn(input, new FakeAgentPort());
    expect(textsOf(replies)).toEqual(['echo: 1', 'echo: 2', 'echo: ci done']);
  });
});
