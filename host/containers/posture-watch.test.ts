import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BerthError } from '../../shared/base/errors.js';
import { ContainerSetup } from '../../test/fakes/container-setup.js';
import { settled, until } from '../../test/fakes/waiting.js';

const error = new BerthError('posture_differs', 'It is not confined: it is root.', {
  next: 'Act.',
});

describe('a container that has begun to run', () => {
  let setup: ContainerSetup;

  beforeEach(() => {
    setup = new ContainerSetup();
  });

  afterEach(async () => {
    await setup[Symbol.asyncDispose]();
  });

  it('is verified against what it was started with, and goes on where it differs in nothing', async () => {
    const session = await setup.addWaitingSession();
    setup.reconciler.start();
    await until(() => {
      expect(setup.runtime.verified).toHaveLength(1);
    });
    expect(setup.runtime.verified[0]?.posture).toEqual(setup.runtime.starts[0]?.posture);
    await settled();
    expect(setup.runtime.running(session.id)).toHaveLength(1);
    expect(setup.verified).toEqual([]);
  });

  it('and differs is ended at once, its chat is told, and its message waits for the next start', async () => {
    const session = await setup.addWaitingSession();
    setup.runtime.verdict = { kind: 'differs', error };
    setup.reconciler.start();
    await until(() => {
      expect(setup.ended).toEqual([session.id]);
      expect(setup.containerStatus(session)).toBe('stopped');
    });
    await settled();
    expect(setup.runtime.running(session.id)).toEqual([]);
    expect(setup.runtime.starts).toHaveLength(1);
    expect(setup.wakesIn(session)).toBe(1_000);
    expect(setup.notices()).toMatchObject([{ in_reply_to: `m-of-${session.id}` }]);
    expect(setup.startTroubles).toEqual([error]);
    expect(setup.messagesIn(session.id)).toMatchObject([{ status: 'pending', tries: 0 }]);
    expect(setup.logged('container ended by itself')).toEqual([]);
    expect(setup.logged('container stopped')).toMatchObject([
      { reason: 'It is not confined: it is root' },
    ]);

    setup.runtime.verdict = { kind: 'kept' };
    setup.clock.advance(1_000);
    setup.reconciler.nudge(session.id);
    await until(() => {
      expect(setup.runtime.running(session.id)).toHaveLength(1);
      expect(setup.startTroubles).toEqual([error, undefined]);
    });
  });

  it('and differs never ends a message, however often it is started', async () => {
    const session = await setup.addWaitingSession();
    setup.runtime.verdict = { kind: 'differs', error };
    setup.reconciler.start();
    for (let starts = 1; starts <= 7; starts += 1) {
      await until(() => {
        expect(setup.ended).toHaveLength(starts);
        expect(setup.containerStatus(session)).toBe('stopped');
      });
      await settled();
      setup.clock.advance(setup.wakesIn(session) ?? 0);
      setup.reconciler.nudge(session.id);
    }
    expect(setup.messagesIn(session.id)).toMatchObject([{ status: 'pending' }]);
    expect(setup.notices()).toHaveLength(1);
    expect(setup.startTroubles.filter((trouble) => trouble === undefined)).toEqual([]);
  });

  it('is ended by a later pass where the engine is away when it is found to differ', async () => {
    const session = await setup.addWaitingSession();
    const away = new BerthError('engine_unreachable', 'No container engine answers.');
    setup.runtime.verify = () => {
      setup.runtime.goAway(away);
      return Promise.resolve({ kind: 'differs', error });
    };
    setup.reconciler.start();
    await until(() => {
      expect(setup.logged('container not verified')).toHaveLength(1);
    });
    expect(setup.runtime.running(session.id)).toHaveLength(1);
    setup.runtime.goAway(undefined);
    setup.reconciler.nudge(session.id);
    await until(() => {
      expect(setup.runtime.running(session.id)).toEqual([]);
      expect(setup.containerStatus(session)).toBe('stopped');
    });
  });

  it('and was taken over is verified too, without knowing with what it was started', async () => {
    const session = setup.addSession({ containerStatus: 'running' });
    const containerId = setup.runtime.put(session.id);
    setup.runtime.verdict = { kind: 'differs', error };
    setup.reconciler.start();
    await until(() => {
      expect(setup.runtime.running(session.id)).toEqual([]);
    });
    expect(setup.runtime.verified).toEqual([{ containerId, posture: undefined }]);
  });

  it('and cannot be seen goes on, and that is said once', async () => {
    setup.runtime.verdict = { kind: 'unseen', why: 'the engine runs agents out of sight' };
    const sessions = [await setup.addWaitingSession(), await setup.addWaitingSession()];
    setup.reconciler.start();
    await until(() => {
      expect(setup.runtime.verified).toHaveLength(2);
    });
    await settled();
    expect(setup.verified).toEqual(['the engine runs agents out of sight']);
    for (const { id } of sessions) expect(setup.runtime.running(id)).toHaveLength(1);
  });
});
