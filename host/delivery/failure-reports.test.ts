import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeContent } from '../../shared/protocol/session-message.js';
import { DeliverySetup } from '../../test/fakes/delivery-setup.js';

const banned = { kind: 'failed', reason: 'you are banned', retryable: false } as const;

describe('a reply that cannot be delivered', () => {
  let setup: DeliverySetup;

  beforeEach(async () => {
    setup = new DeliverySetup();
    await setup.post(setup.session, 'm-1');
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  /** Returns what the agent is told by the host. */
  function toldAgent(): readonly { id: string; status: string; text: string }[] {
    return setup
      .messagesIn(setup.session.id)
      .filter(({ id }) => id.startsWith('delivery-'))
      .map(({ id, status, content }) => {
        const { text } = JSON.parse(content) as { text: string };
        return { id, status, text };
      });
  }

  it('is told to its agent, with the reason and how it began, to be read with the next turn', async () => {
    setup.channel.willAnswer(banned);
    const text = 'dear '.repeat(100);
    setup.runner.sayContent('o-1', { text });
    await setup.deliver();
    expect(toldAgent()).toMatchObject([{ status: 'context' }]);
    expect(toldAgent()[0]!.text).toMatch(
      /^Your message "dear dear .{180,200}…" could not be delivered: you are banned\.$/,
    );
    expect(setup.wakesIn()).toBe(0);
  });

  it('does not wake its agent, whose answer could fail as well, and so on for ever', async () => {
    setup.runner.complete('m-1');
    setup.channel.alwaysAnswers(banned);
    setup.runner.say('o-1', { inReplyTo: 'm-1' });
    await setup.deliver();
    expect(toldAgent()).toHaveLength(1);
    expect(setup.wakesIn()).toBeUndefined();
  });

  it('is told once, however often the daemon stops before the row is final', async () => {
    setup.channel.alwaysAnswers(banned);
    setup.runner.say('o-1', { inReplyTo: 'm-1' });
    setup.inbound(setup.session.id, (db) => {
      db.exec(`CREATE TRIGGER full BEFORE UPDATE ON delivered
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    for (let crash = 0; crash < 3; crash += 1) {
      await setup.deliver();
      setup.rebuild();
      setup.clock.advance(1_000);
    }
    setup.inbound(setup.session.id, (db) => {
      db.exec('DROP TRIGGER full');
    });
    await setup.deliver();
    expect(setup.deliveries(setup.session.id)).toEqual({ 'o-1': 'failed' });
    expect(toldAgent()).toHaveLength(1);
    expect(setup.notices()).toHaveLength(1);
    expect(setup.store.deadLetters.list()).toHaveLength(1);
  });

  it('is told to whoever waits for it, in plain words', async () => {
    setup.runner.sayContent('o-1', { text: 1 }, { inReplyTo: 'm-1' });
    await setup.deliver();
    expect(setup.notices()).toMatchObject([{ in_reply_to: 'm-1', status: 'pending' }]);
    expect(setup.notices()[0]!.text).toBe(
      'Sorry, a reply to this could not be delivered. Please ask again, or ask whoever runs this agent to look into it.',
    );
  });

  it('says which file was refused, and why', async () => {
    const outbox = join(setup.folders.outDir(setup.session.id), 'outbox', 'o-1');
    mkdirSync(outbox, { recursive: true });
    writeFileSync(join(outbox, 'a.pdf'), 'x'.repeat(2_000));
    setup.runner.sayContent('o-1', { text: '', files: ['a.pdf'] }, { inReplyTo: 'm-1' });
    await setup.deliver();
    expect(setup.notices()[0]!.text).toContain(
      '"a.pdf" was not sent: it is longer than 1000 bytes.',
    );
  });

  it('may have arrived: that is what is told', async () => {
    setup[Symbol.dispose]();
    setup = new DeliverySetup({ unknownSends: 'hold' });
    await setup.post(setup.session, 'm-1');
    setup.channel.willAnswer({ kind: 'unknown', reason: 'reset' });
    setup.runner.say('o-1', { inReplyTo: 'm-1' });
    await setup.deliver();
    expect(setup.notices()[0]!.text).toContain('it may be missing, or not');
    expect(toldAgent()[0]!.text).toContain('It may have arrived all the same.');
  });

  it.each([
    ['the chat is gone', { ...banned, isChatGone: true }, {}],
    ['nobody had asked', banned, { inReplyTo: null }],
    ['it answers what nobody has said', banned, { inReplyTo: 'm-404' }],
    [
      'it is only a reaction',
      banned,
      { content: JSON.stringify({ operation: 'react', messageId: 'm-1', emoji: '+1' }) },
    ],
    [
      'it was meant for a chat where the agent may not write',
      banned,
      { address: { channelType: 'fake', platformId: 'chat-9', threadId: null } },
    ],
    ['it asks for no action', banned, { kind: 'system', content: '{"parameters":{}}' } as const],
  ])('is not told in the chat where %s', async (_, outcome, fields) => {
    setup.channel.willAnswer(outcome);
    setup.runner.say('o-1', { inReplyTo: 'm-1', ...fields });
    await setup.deliver();
    expect(setup.notices()).toEqual([]);
    expect(toldAgent()).toHaveLength(1);
    expect(Object.keys(setup.outDeadLetters())).toEqual(['o-1']);
  });

  it('is told once where many fail together', async () => {
    setup.channel.alwaysAnswers(banned);
    setup.runner.sayAll(['o-1', 'o-2', 'o-3'], { inReplyTo: 'm-1' });
    await setup.deliver();
    expect(setup.notices()).toHaveLength(1);
    expect(toldAgent()).toHaveLength(3);
  });

  it('because it recurs is told what to do instead', async () => {
    setup.runner.say('o-1');
    setup.outbound(setup.session.id, (db) => {
      db.exec(`UPDATE messages_out SET recurrence = '0 9 * * *'`);
    });
    await setup.deliver();
    expect(setup.texts()).toEqual([]);
    expect(setup.outDeadLetters()['o-1']).toContain('schedule a task');
  });

  it('keeps a long or strange reason short', async () => {
    setup.channel.willAnswer({ ...banned, reason: 'no'.repeat(10_000) });
    setup.runner.write({
      id: 'o-1',
      inReplyTo: null,
      deliverAfter: null,
      kind: 'chat',
      address: null,
      content: encodeContent({
        kind: 'chat',
        chat: { operation: 'post', text: 'hi', files: [] },
      }),
    });
    await setup.deliver();
    expect(setup.outDeadLetters()['o-1']).toHaveLength(500);
  });
});
