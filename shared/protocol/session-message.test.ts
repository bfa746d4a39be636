import { describe, expect, it } from 'vitest';
import { runnerConfigSchema } from './runner-config.js';
import { encodeContent, parseInboundContent, parseOutboundContent } from './session-message.js';

describe('inbound content', () => {
  it('fills in what may be left out', () => {
    expect(parseInboundContent('chat', '{"text":"hi","sender":{"id":"u-1"}}')).toEqual({
      kind: 'chat',
      chat: { text: 'hi', sender: { id: 'u-1' }, mentioned: false, attachments: [] },
    });
  });

  it.each([
    ['chat', '{"text":"hi","sender":{"id":"u","name":"Ann"},"mentioned":true,"attachments":[]}'],
    ['task', '{"text":"report","name":"weekly"}'],
    ['webhook', '{"source":"ci","event":"done","payload":{"ok":true}}'],
    ['system', '{"event":"note","text":"x"}'],
  ])('of kind %s comes back as it was', (kind, json) => {
    expect(JSON.parse(encodeContent(parseInboundContent(kind, json)))).toEqual(JSON.parse(json));
  });

  it.each([
    ['chat', 'nonsense', 'The content is not JSON.'],
    ['chat', '5', 'content: Invalid input: expected object'],
    ['chat', '[]', 'content: Invalid input: expected object'],
    ['chat', '{"text":"hi"}', 'sender: Invalid input: expected object'],
    [
      'chat',
      '{"text":7,"sender":{}}',
      'text: Invalid input: expected string, received number; sender.id',
    ],
    [
      'chat',
      '{"text":"","sender":{"id":"u"},"attachments":[{"name":"a","file":"a","sizeBytes":-1}]}',
      'attachments.0.sizeBytes: Too small',
    ],
    ['poem', '{}', 'No inbound message is of kind "poem".'],
  ])('of kind %s is refused when it is %s', (kind, json, message) => {
    const parse = (): unknown => parseInboundContent(kind, json);
    expect(parse).toThrow(expect.objectContaining({ code: 'content_invalid' }));
    expect(parse).toThrow(message);
  });
});

describe('outbound content', () => {
  it.each([
    ['{"text":"hi"}', { operation: 'post', text: 'hi', files: [] }],
    [
      '{"operation":"edit","messageId":"o-1","text":"x"}',
      { operation: 'edit', messageId: 'o-1', text: 'x' },
    ],
    [
      '{"operation":"react","messageId":"m-1","emoji":"+"}',
      { operation: 'react', messageId: 'm-1', emoji: '+' },
    ],
  ])('takes the chat %s', (json, chat) => {
    expect(parseOutboundContent('chat', json)).toEqual({ kind: 'chat', chat });
  });

  it('takes a system action', () => {
    expect(parseOutboundContent('system', '{"action":"nap"}')).toEqual({
      kind: 'system',
      system: { action: 'nap', parameters: {} },
    });
  });

  it.each([
    ['chat', '{}', 'text: Invalid input'],
    ['chat', '{"operation":"shout","text":"x"}', 'operation: Invalid'],
    ['chat', '{"operation":"edit","text":"x"}', 'messageId: Invalid input'],
    ['system', '{"action":"nap","parameters":[]}', 'parameters: Invalid input'],
    ['task', '{"text":"x"}', 'No outbound message is of kind "task".'],
  ])('of kind %s is refused when it is %s', (kind, json, message) => {
    expect(() => parseOutboundContent(kind, json)).toThrow(message);
  });
});

describe('the settings of a runner', () => {
  const least = {
    protocol: 1,
    sessionId: 's-1',
    agentGroup: { id: 'a', name: 'b' },
    provider: { name: 'echo', options: {} },
  };

  it('have defaults', () => {
    expect(runnerConfigSchema.parse(least)).toEqual({
      ...least,
      batchSize: 20,
      pollIntervalMs: 1_000,
      heartbeatIntervalMs: 1_000,
    });
  });

  it('of version 1 name their provider, which has no options', () => {
    expect(runnerConfigSchema.parse({ ...least, provider: 'echo' }).provider).toEqual(
      least.provider,
    );
  });

  it('of a later version are taken as far as they are known', () => {
    const later = { ...least, protocol: 99, moods: ['sunny'] };
    expect(runnerConfigSchema.parse(later)).toEqual({
      ...runnerConfigSchema.parse(least),
      protocol: 99,
    });
  });

  it.each([
    { protocol: 0 },
    { batchSize: 0 },
    { pollIntervalMs: 1.5 },
    { provider: null },
    { provider: { options: {} } },
  ])('are refused with %j', (more) => {
    expect(runnerConfigSchema.safeParse({ ...least, ...more }).success).toBe(false);
  });
});
