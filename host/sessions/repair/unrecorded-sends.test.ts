import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RecoverySetup } from '../../../test/fakes/recovery-setup.js';

describe('a reply of which nobody knows whether it was sent', () => {
  let setup: RecoverySetup;

  beforeEach(() => {
    setup = new RecoverySetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  /** Nothing is left of the file that told what was sent. */
  async function loseInbound(): Promise<void> {
    rmSync(setup.inboundPath);
    await setup.take('after');
    await setup.delivery.loop.drain();
  }

  it('is held where it is one of the last twenty, and was sent long ago where it is not', async () => {
    const ids = Array.from({ length: 25 }, (_, index) => `o-${index}`);
    await setup.take('m-1');
    for (const id of ids) setup.runner.say(id);
    await loseInbound();
    expect(setup.texts()).toEqual([]);
    expect(Object.keys(setup.outDeadLetters()).sort()).toEqual(ids.slice(5).sort());
    expect(new Set(Object.values(setup.deliveries(setup.session.id)))).toEqual(
      new Set(['delivered', 'failed']),
    );
  });

  it('is sent where it waits for its time, or for another try', async () => {
    await setup.take('m-1');
    setup.runner.say('o-later', { deliverAfter: setup.clock.iso(60_000) });
    setup.runner.say('o-retry');
    const retry = { attempts: 1, dueAt: setup.clock.iso(), reason: 'busy', maybeSent: false };
    const messageOutId = 'o-retry';
    setup.store.deliveryRetries.set({ ...retry, sessionId: setup.session.id, messageOutId });
    await loseInbound();
    expect(setup.texts()).toEqual(['o-retry']);
    setup.clock.advance(60_000);
    await setup.deliver();
    expect(setup.texts()).toEqual(['o-retry', 'o-later']);
    expect(setup.outDeadLetters()).toEqual({});
  });
});
