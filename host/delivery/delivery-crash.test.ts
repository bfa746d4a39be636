import { afterEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../shared/base/sqlite.js';
import { inboundDbPath } from '../../shared/protocol/workspace.js';
import { DeliveryRoom } from '../../test/fakes/delivery-room.js';

describe('an interrupted delivery', () => {
  let room: DeliveryRoom;

  afterEach(() => {
    room[Symbol.dispose]();
  });

  /** A daemon that dies in the middle of a send leaves these rows behind. */
  async function dieWhileSending(...ids: string[]): Promise<void> {
    room.runner.sayAll(ids);
    await room.mailbox.inbound(room.session.id, (inbound) => {
      const sending = { status: 'sending', platformMessageId: null } as const;
      inbound.recordDeliveries(
        ids.map((messageOutId) => ({ messageOutId, ...sending })),
        [],
        room.clock.now(),
      );
    });
    room.rebuild();
  }

  it.each([true, false])(
    'is seen afterwards: `sending` first, then the outcome (idempotent: %s)',
    async (sendsAreIdempotent) => {
      room = new DeliveryRoom({ sendsAreIdempotent });
      const seen: (string | undefined)[] = [];
      const send = room.channel.send.bind(room.channel);
      room.channel.send = (event) => {
        seen.push(room.deliveries(room.session.id)[event.messageId]);
        return send(event);
      };
      room.runner.sayAll(['o-1', 'o-2', 'o-3']);
      await room.deliver();
      expect(seen).toEqual(['sending', 'sending', 'sending']);
      expect(Object.values(room.deliveries(room.session.id))).toEqual([
        'delivered',
        'delivered',
        'delivered',
      ]);
    },
  );

  it('is sent again where a repeat does not show', async () => {
    room = new DeliveryRoom({ sendsAreIdempotent: true });
    await dieWhileSending('o-1', 'o-2');
    room.runner.say('o-3');
    await room.deliver();
    expect(room.texts()).toEqual(['o-1', 'o-2', 'o-3']);
    expect(room.outDeadLetters()).toEqual({});
  });

  it('is held for the operator where a repeat would show', async () => {
    room = new DeliveryRoom();
    await dieWhileSending('o-1');
    room.runner.say('o-2');
    await room.deliver();
    expect(room.texts()).toEqual(['o-2']);
    expect(room.deliveries(room.session.id)).toEqual({ 'o-1': 'failed', 'o-2': 'delivered' });
    expect(room.outDeadLetters()['o-1']).toContain('may have arrived');
  });

  it.each([
    { sendsAreIdempotent: true, becomes: undefined },
    { sendsAreIdempotent: false, becomes: 'failed' },
  ])(
    'by a channel that hangs ends in time: idempotent $sendsAreIdempotent',
    async ({ sendsAreIdempotent, becomes }) => {
      room = new DeliveryRoom({ sendsAreIdempotent, sendTimeoutMs: 20 });
      const other = room.addWiredChat('chat-2');
      room.channel.willAnswer({ kind: 'hangs' });
      room.runner.say('o-1');
      room.runner.say('o-2', { address: other });
      await room.deliver();
      expect(room.texts()).toEqual(['o-2']);
      expect(room.deliveries(room.session.id)['o-1']).toBe(becomes);
      await room.channel.stop();
    },
  );

  it('that could not be noted is looked at again soon, and told to whoever plans', async () => {
    room = new DeliveryRoom();
    room.runner.say('o-1');
    room.inbound(room.session.id, (db) => {
      db.exec(`CREATE TRIGGER full BEFORE INSERT ON delivered
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    await room.deliver();
    expect(room.texts()).toEqual([]);
    expect(room.deliversIn()).toBe(5_000);
    expect(room.planned).toBe(1);
    room.inbound(room.session.id, (db) => {
      db.exec('DROP TRIGGER full');
    });
    room.clock.advance(5_000);
    await room.deliver();
    expect(room.texts()).toEqual(['o-1']);
  });

  it('never brings the daemon down, not even where nothing can be written at all', async () => {
    room = new DeliveryRoom();
    room.runner.say('o-1');
    room.inbound(room.session.id, (db) => {
      db.exec(`CREATE TRIGGER full BEFORE INSERT ON delivered
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    room.central((db) => {
      db.exec(`CREATE TRIGGER full BEFORE INSERT ON due_items
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    await expect(room.deliver()).resolves.toBeUndefined();
    expect(room.logLines.at(-1)).toContain('disk is full');
  });

  it('goes on when the lock on its file is gone, while others are delivered', async () => {
    room = new DeliveryRoom();
    const other = room.addSession();
    room.runner.say('o-1');
    room.runnerOf(other.id).say('o-2');
    const path = inboundDbPath(room.folders.inDir(room.session.id));
    const lock = openDatabase(path, { mode: 'write', busyTimeoutMs: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    room.delivery.loop.nudge(room.session.id);
    room.delivery.loop.nudge(other.id);
    await expect.poll(() => room.texts(), { interval: 2 }).toEqual(['o-2']);
    lock.close();
    await room.delivery.loop.drain();
    expect(room.texts()).toEqual(['o-2', 'o-1']);
  });
});

describe('the end of a container', () => {
  it('is dealt with when what it left behind is delivered and settled', async () => {
    using room = new DeliveryRoom();
    await room.post(room.session, 'm-1', 'm-2');
    room.runner.claim('m-1', 'm-2');
    room.runner.say('o-1', { inReplyTo: 'm-1' });
    room.runner.complete('m-1');
    await room.delivery.loop.finish(room.session.id);
    expect(room.texts()).toEqual(['o-1']);
    expect(room.describe()).toEqual({ 'm-1': 'completed 0', 'm-2': 'pending 1 +1000' });
  });

  it('is not dealt with while its files cannot be written, so that nothing new is started', async () => {
    using room = new DeliveryRoom();
    await room.post(room.session, 'm-1');
    room.runner.claim('m-1');
    room.inbound(room.session.id, (db) => {
      db.exec(`CREATE TRIGGER full BEFORE UPDATE ON messages_in
               BEGIN SELECT raise(ABORT, 'database or disk is full'); END`);
    });
    await expect(room.delivery.loop.finish(room.session.id)).rejects.toThrow();
    room.inbound(room.session.id, (db) => {
      db.exec('DROP TRIGGER full');
    });
    await room.delivery.loop.finish(room.session.id);
    expect(room.describe()).toEqual({ 'm-1': 'pending 1 +1000' });
    // The next container's claim is its own.
    room.runner.claimTry(1, 'm-1');
    await room.deliver();
    expect(room.describe()).toEqual({ 'm-1': 'pending 1 +1000' });
  });
});
