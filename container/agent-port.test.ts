/** Checks what becomes of what a provider does through its port, by how its turn ends. */
import { beforeEach, describe, expect, it } from 'vitest';
import { chatContent, turnMessage } from '../test/contracts/provider-contract.js';
import { silentLogger } from '../shared/base/logger.js';
import type { NewOutboundRow } from '../shared/protocol/mailbox/outbound-writer.js';
import type { Batch } from './intake.js';
import type { AgentPort, Reply, TurnResult } from './providers/provider.js';
import { Turn, type TurnEnd } from './turn.js';

const messages = ['m-1', 'm-2'].map((id) => turnMessage(id, chatContent('hello')));
const batch: Batch = {
  messages,
  context: [],
  attempts: messages.map(({ id }) => ({ id, tries: 0 })),
  contextIds: [],
  unreadable: [],
  destinations: [],
  routing: null,
  inboundMaxSeq: 4,
};
const action = { action: 'list_tasks', parameters: {} };
const nothing: TurnResult = { replies: [], failures: [] };

function post(text: string): Reply {
  return {
    inReplyTo: 'm-1',
    content: { kind: 'chat', chat: { operation: 'post', text, files: [] } },
  };
}

describe('the port of a provider', () => {
  let sent: NewOutboundRow[];

  beforeEach(() => {
    sent = [];
  });

  function turnOf(think: (port: AgentPort) => TurnResult | Promise<TurnResult>): Turn {
    let count = 0;
    return new Turn(
      {
        provider: { runTurn: async (_input, port) => await think(port) },
        takeMore: () => undefined,
        findState: (key) => (key === 'color' ? 'blue' : undefined),
        sendNow: (rows) => {
          sent.push(...rows);
          return Promise.resolve();
        },
        onProgress: () => undefined,
        inDir: '/nowhere',
        newId: (prefix) => `${prefix}-${(count += 1)}`,
        log: silentLogger,
      },
      batch,
      new AbortController().signal,
    );
  }

  function ended(end: TurnEnd): Extract<TurnEnd, { kind: 'ended' }> {
    if (end.kind !== 'ended') throw new Error(`the turn was ${end.kind}`);
    return end;
  }

  it('tells the id of what it sends, by which an edit names it', async () => {
    let id = '';
    await turnOf(async (port) => {
      id = await port.send(post('working on it'));
      return nothing;
    }).run();
    expect(sent.map((row) => row.id)).toEqual([id]);
  });

  it('writes notes and requests with the acks', async () => {
    let requestId = '';
    const end = ended(
      await turnOf((port) => {
        port.state.set('seen', `${port.state.get('color') ?? 'no'} sky`);
        port.state.delete('color');
        requestId = port.tools.request('m-1', action);
        return { replies: [post('done')], failures: [] };
      }).run(),
    );
    expect(end.state).toEqual([
      { key: 'seen', value: 'blue sky' },
      { key: 'color', value: null },
    ]);
    expect(end.rows.map(({ kind }) => kind)).toEqual(['chat', 'system']);
    expect(end.rows[1]).toMatchObject({ id: requestId, inReplyTo: 'm-1' });
    expect(JSON.parse(end.rows[1]?.content ?? '')).toEqual(action);
    expect(sent).toEqual([]);
  });

  it('asks for nothing that belongs to a message that has failed: it would be asked again', async () => {
    const end = ended(
      await turnOf((port) => {
        port.tools.request('m-1', action);
        port.tools.request('m-2', action);
        return { replies: [], failures: [{ messageId: 'm-1', reason: 'no' }] };
      }).run(),
    );
    expect(end.rows.map(({ inReplyTo }) => inReplyTo)).toEqual(['m-2']);
  });

  it('leaves nothing of a turn that fails', async () => {
    const end = ended(
      await turnOf((port) => {
        port.state.set('seen', 'x');
        port.tools.request('m-1', action);
        throw new Error('the model is away');
      }).run(),
    );
    expect(end).toMatchObject({ rows: [], state: [] });
    expect(end.acks.map(({ status }) => status)).toEqual(['failed', 'failed']);
  });

  it('leaves nothing of a turn that was given up', async () => {
    const turn: Turn = turnOf((port) => {
      port.state.set('seen', 'x');
      turn.abandon();
      return nothing;
    });
    expect(await turn.run()).toEqual({ kind: 'abandoned' });
  });
});
