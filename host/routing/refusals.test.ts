import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BerthError } from '../../shared/base/errors.js';
import { RoutingSetup } from '../../test/fakes/routing-setup.js';

describe('the events of messages that nobody takes', () => {
  let setup: RoutingSetup;

  beforeEach(() => {
    setup = new RoutingSetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  it('tell of a chat that no agent is wired to, which has no session', async () => {
    await setup.router.route(setup.event('hi'));
    const [chat] = setup.store.messagingGroups.list();
    const [received] = setup.store.received.listNewest(chat?.id ?? '', 1);
    expect(setup.store.events.listForChat(chat?.id ?? '', 10)).toMatchObject([
      {
        name: 'message.refused',
        sessionId: null,
        messageId: received?.messageId,
        detail: { why: 'no agent is wired to this chat' },
      },
    ]);
  });

  it('tell once of a message that its platform sends again', async () => {
    const event = setup.event('hi');
    for (let count = 0; count < 3; count += 1) await setup.router.route(event);
    expect(setup.events()).toHaveLength(1);
  });

  it('tell what kept a message from being written', async () => {
    const chat = setup.addChat();
    setup.addWiring(chat, setup.addAgentGroup({ id: 'ag-1' }));
    setup.mailbox.post = () =>
      Promise.reject(new BerthError('database_busy', 'backup holds inbound.db.'));
    await expect(setup.router.route(setup.event('hi'))).rejects.toThrow('backup holds');
    expect(setup.store.events.listForChat(chat.id, 10)).toMatchObject([
      {
        name: 'message.refused',
        detail: { why: 'it could not be taken: backup holds inbound.db.' },
      },
    ]);
  });

  it('tell who has missed a message that others took', async () => {
    const chat = setup.addChat();
    for (const id of ['ag-1', 'ag-2']) setup.addWiring(chat, setup.addAgentGroup({ id }));
    const { mailbox } = setup;
    const post = mailbox.post.bind(mailbox);
    mailbox.post = (sessionId, given) =>
      sessionId === 's-1'
        ? Promise.reject(new BerthError('database_busy', 'busy.'))
        : post(sessionId, given);
    await setup.router.route(setup.event('hi'));
    expect(setup.events().filter((event) => event.startsWith('message'))).toEqual([
      expect.stringMatching(/^message\.refused m-.*: its session could not take it: busy\.$/),
    ]);
  });

  it('there are none of messages that are taken, by the first of which a session begins', async () => {
    const chat = setup.addChat();
    setup.addWiring(chat, setup.addAgentGroup({ id: 'ag-1' }));
    for (const text of ['one', 'two']) await setup.router.route(setup.event(text));
    expect(setup.events()).toEqual(['session.created s-1']);
  });
});
