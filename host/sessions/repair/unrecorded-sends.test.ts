import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RecoveryRoom } from '../../../test/fakes/recovery-room.js';

describe('a reply of which nobody knows whether it was sent', () => {
  let room: RecoveryRoom;

  beforeEach(() => {
    room = new RecoveryRoom();
  });

  afterEach(() => {
    room[Symbol.dispose]();
  });

  /** Nothing is left of the file that told what was sent. */
  async function loseInbound(): Promise<void> {
    rmSync(room.inboundPath);
    await room.take('after');
    await room.delivery.loop.drain();
  }

  it('is held where it is one of the last twenty, and was sent long ago where it is not', async () => {
    const ids = Array.from({ length: 25 }, (_, index) => `o-${index}`);
    await room.take('m-1');
    for (const id of ids) room.runner.say(id);
    await loseInbound();
    expect(room.texts()).toEqual([]);
    expect(Object.keys(room.outDeadLetters()).sort()).toEqual(ids.slice(5).sort());
    expect(new Set(Object.values(room.deliveries(room.session.id)))).toEqual(
      new Set(['delivered', 'failed']),
    );
  });

  it('is sent where it waits for its time, or for another try', async () => {
    await room.take('m-1');
    room.runner.say('o-later', { deliverAfter: room.clock.iso(60_000) });
    room.runner.say('o-retry');
    const retry = { attempts: 1, dueAt: room.clock.iso(), reason: 'busy', maybeSent: false };
    const messageOutId = 'o-retry';
    room.store.deliveryRetries.set({ ...retry, sessionId: room.session.id, messageOutId });
    await loseInbound();
    expect(room.texts()).toEqual(['o-retry']);
    room.clock.advance(60_000);
    await room.deliver();
    expect(room.texts()).toEqual(['o-retry', 'o-later']);
    expect(room.outDeadLetters()).toEqual({});
  });
});
