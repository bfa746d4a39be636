import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DeadLetterRef } from '../store/messages/dead-letters.js';
import type { Session } from '../store/sessions.js';
import { inboxDir } from '../../shared/protocol/workspace.js';
import { DeliverySetup } from '../../test/fakes/delivery-setup.js';
import { setStatus } from '../../test/fakes/session-rows.js';

const banned = { kind: 'failed', reason: 'you are banned', retryable: false } as const;

describe('a dead letter that is tried again', () => {
  let setup: DeliverySetup;

  beforeEach(() => {
    setup = new DeliverySetup();
  });

  afterEach(() => {
    setup[Symbol.dispose]();
  });

  function refTo(
    messageId: string,
    direction: 'in' | 'out',
    session: Session = setup.session,
  ): DeadLetterRef {
    return { sessionId: session.id, direction, messageId };
  }

  async function retry(...letters: readonly DeadLetterRef[]): Promise<readonly string[]> {
    const outcomes = await setup.delivery.deadLetters.retry(letters);
    await setup.delivery.loop.drain();
    return outcomes.map((one) => (one.outcome === 'refused' ? one.reason : one.outcome));
  }

  /** The message fails until it is given up. */
  async function exhaust(id: string, fromTry = 0): Promise<void> {
    for (let tries = fromTry; tries < fromTry + 3; tries += 1) {
      setup.runner.claimTry(tries, id);
      setup.runner.fail(id, 'no idea', tries);
      await setup.pass();
      setup.clock.advance(60_000);
    }
  }

  describe('in', () => {
    beforeEach(async () => {
      await setup.post(setup.session, 'm-1');
      await exhaust('m-1');
      expect(setup.describe()['m-1']).toMatch(/^failed 2/);
    });

    it('waits in its session again at once, with as many tries as ever, and is no dead letter', async () => {
      expect(await retry(refTo('m-1', 'in'))).toEqual(['retried']);
      expect(setup.describe()).toEqual({ 'm-1': 'pending 3' });
      expect(setup.wakesIn()).toBe(0);
      expect(setup.posted).toEqual([setup.session.id]);
      expect(setup.store.deadLetters.count()).toBe(0);
      // The ack of the last try is still there, and does not count.
      await setup.pass();
      expect(setup.describe()).toEqual({ 'm-1': 'pending 3' });
      setup.runner.claimTry(3, 'm-1');
      setup.runner.fail('m-1', 'no idea', 3);
      await setup.pass();
      expect(setup.describe()).toEqual({ 'm-1': 'pending 4 +1000' });
    });

    it('is given up again when it fails again, and told again', async () => {
      expect(setup.notices()).toHaveLength(1);
      setup.store.notices.settle(setup.notices()[0]!.id, 'sent');
      await retry(refTo('m-1', 'in'));
      await exhaust('m-1', 3);
      expect(setup.describe()['m-1']).toMatch(/^failed 5/);
      expect(setup.notices()).toMatchObject([{ in_reply_to: 'm-1', status: 'pending' }]);
      expect(setup.store.deadLetters.list()).toMatchObject([{ messageId: 'm-1', direction: 'in' }]);
    });

    it('is the same when it is asked for twice', async () => {
      const letter = setup.store.deadLetters.list()[0]!;
      await retry(refTo('m-1', 'in'));
      expect(await retry(refTo('m-1', 'in'))).toEqual(['settled']);
      // A crash came before its end was noted.
      setup.store.deadLetters.insert(letter);
      expect(await retry(refTo('m-1', 'in'))).toEqual(['settled']);
      expect(setup.describe()).toEqual({ 'm-1': 'pending 3' });
      expect(setup.store.deadLetters.count()).toBe(0);
    });

    it('goes to the present session of its conversation where its own has ended, with its files', async () => {
      const files = inboxDir(setup.folders.inDir(setup.session.id), 'm-1');
      mkdirSync(files, { recursive: true });
      writeFileSync(join(files, '1-a.txt'), 'hello');
      setStatus(setup.store, setup.session.id, 'closed', null);
      expect(await retry(refTo('m-1', 'in'))).toEqual(['retried']);
      const present = setup.store.sessions.findActive(setup.session)!;
      expect(setup.posted).toEqual([present.id]);
      expect(setup.describe(present)).toEqual({ 'm-1': 'pending 0' });
      expect(setup.wakesIn(present)).toBe(0);
      const copy = join(inboxDir(setup.folders.inDir(present.id), 'm-1'), '1-a.txt');
      expect(readFileSync(copy, 'utf8')).toBe('hello');
      expect(setup.store.deadLetters.count()).toBe(0);
    });

    it('is one more run of a task, and no second series', async () => {
      setup.inbound(setup.session.id, (db) => {
        db.exec(`UPDATE messages_in SET kind = 'task', recurrence = '0 9 * * *'`);
      });
      await retry(refTo('m-1', 'in'));
      const recurrence = setup.inbound(setup.session.id, (db) =>
        db.prepare('SELECT recurrence FROM messages_in').pluck().get(),
      );
      expect(recurrence).toBeNull();
    });

    it('is refused where it is not in the files any more, and keeps no other from it', async () => {
      await setup.post(setup.session, 'm-2');
      await exhaust('m-2');
      setup.inbound(setup.session.id, (db) => {
        db.exec(`DELETE FROM messages_in WHERE id = 'm-1'`);
      });
      const outcomes = await retry(refTo('m-1', 'in'), refTo('m-2', 'in'));
      expect(outcomes).toEqual(['retried', expect.stringContaining('not in the files')]);
      expect(setup.store.deadLetters.list()).toMatchObject([{ messageId: 'm-1' }]);
    });

    it('is refused where the files of its session cannot be read', async () => {
      writeFileSync(join(setup.folders.inDir(setup.session.id), 'inbound.db'), 'x'.repeat(10_000));
      const [outcome] = await retry(refTo('m-1', 'in'));
      expect(outcome).toContain('inbound.db');
      expect(setup.store.deadLetters.count()).toBe(1);
    });
  });

  describe('out', () => {
    it('is delivered, after all that came later, and its agent is told not to repeat it', async () => {
      setup.channel.willAnswer(banned);
      setup.runner.sayAll(['o-1', 'o-2']);
      await setup.deliver();
      expect(setup.texts()).toEqual(['o-2']);
      expect(await retry(refTo('o-1', 'out'))).toEqual(['retried']);
      expect(setup.texts()).toEqual(['o-2', 'o-1']);
      expect(setup.deliveries(setup.session.id)).toEqual({
        'o-1': 'delivered',
        'o-2': 'delivered',
      });
      expect(setup.store.deadLetters.count()).toBe(0);
      const told = setup.messagesIn(setup.session.id);
      expect(told.map(({ status }) => status)).toEqual(['context', 'context']);
      expect(told[1]!.content).toContain('do not repeat it');
    });

    it('is given up again where it fails again, and told again', async () => {
      await setup.post(setup.session, 'm-1');
      setup.channel.alwaysAnswers(banned);
      setup.runner.say('o-1', { inReplyTo: 'm-1' });
      await setup.deliver();
      setup.store.notices.settle(setup.notices()[0]!.id, 'sent');
      setup.clock.advance(1);
      await retry(refTo('o-1', 'out'));
      expect(Object.keys(setup.outDeadLetters())).toEqual(['o-1']);
      expect(setup.notices().map(({ status }) => status)).toEqual(['sent', 'pending']);
      const told = setup
        .messagesIn(setup.session.id)
        .filter(({ id }) => id.startsWith('delivery-f'));
      expect(told).toHaveLength(2);
    });

    it('says that it may be a repeat where it may have arrived, and is held again when interrupted', async () => {
      setup[Symbol.dispose]();
      setup = new DeliverySetup({ unknownSends: 'hold' });
      setup.channel.willAnswer({ kind: 'unknown', reason: 'reset' });
      setup.runner.say('o-1');
      await setup.deliver();
      setup.channel.willAnswer({ kind: 'unknown', reason: 'reset' });
      expect(await retry(refTo('o-1', 'out'))).toEqual(['retried']);
      expect(setup.outDeadLetters()['o-1']).toContain('may have arrived');
      await retry(refTo('o-1', 'out'));
      expect(setup.texts()).toEqual([expect.stringMatching(/may be a repeat.*\no-1$/s)]);
    });

    it('is found also after a restart, and once where it is asked for twice', async () => {
      setup.channel.willAnswer(banned);
      setup.runner.say('o-1');
      await setup.deliver();
      const letter = setup.store.deadLetters.list()[0]!;
      setup.rebuild();
      await retry(refTo('o-1', 'out'));
      setup.store.deadLetters.insert(letter);
      expect(await retry(refTo('o-1', 'out'))).toEqual(['settled']);
      expect(setup.texts()).toEqual(['o-1']);
      expect(setup.store.deadLetters.count()).toBe(0);
    });

    it('is refused where its session was quarantined, or the agent’s files hold it no more', async () => {
      setup.channel.willAnswer(banned);
      setup.runner.say('o-1');
      await setup.deliver();
      setup.outbound(setup.session.id, (db) => {
        db.exec('DELETE FROM messages_out');
      });
      expect(await retry(refTo('o-1', 'out'))).toEqual([expect.stringContaining('do not hold')]);
      setStatus(setup.store, setup.session.id, 'set-aside', 'bytes flipped');
      expect(await retry(refTo('o-1', 'out'))).toEqual([expect.stringContaining('set aside')]);
    });
  });

  it('goes after those that came before it, however they are named', async () => {
    setup.channel.alwaysAnswers(banned);
    setup.runner.sayAll(['o-1', 'o-2', 'o-3']);
    await setup.deliver();
    setup.channel.alwaysAnswers(undefined);
    await retry(...['o-3', 'o-2', 'o-1'].map((id) => refTo(id, 'out')));
    expect(setup.texts()).toEqual(['o-1', 'o-2', 'o-3']);
  });

  it('comes in its old order where its session was closed, also what no platform sent', async () => {
    await setup.post(setup.session, 'm-1', 'm-2', 'm-3');
    setStatus(setup.store, setup.session.id, 'closed', null);
    await setup.pass('ended');
    await retry(...['m-3', 'm-1', 'm-2'].map((id) => refTo(id, 'in')));
    const present = setup.store.sessions.findActive(setup.session)!;
    expect(setup.messagesIn(present.id).map(({ id }) => id)).toEqual(['m-1', 'm-2', 'm-3']);
  });

  it('that nobody knows of is dealt with already', async () => {
    expect(await retry(refTo('m-404', 'in'))).toEqual(['settled']);
  });
});
