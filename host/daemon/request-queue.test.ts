import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BerthError } from '../../shared/base/errors.js';
import { silentLogger } from '../../shared/base/logger.js';
import { TempHome } from '../../test/fakes/temp-home.js';
import { RequestQueue, type RequestHandler } from './request-queue.js';

describe('what commands ask of the daemon', () => {
  let home: TempHome;

  beforeEach(() => {
    home = new TempHome();
  });

  afterEach(() => {
    home[Symbol.dispose]();
  });

  function ask(id: string, kind: string, payload = '{}'): void {
    home.store.requests.insert({ id, kind, payload, createdAt: home.clock.iso() });
  }

  async function work(handlers: Record<string, RequestHandler>): Promise<void> {
    const queue = new RequestQueue({
      store: home.store,
      findHandler: (kind) => handlers[kind],
      log: silentLogger,
    });
    queue.nudge();
    await queue.drain();
  }

  it('is done in order, each once, and its outcome noted', async () => {
    ask('q-1', 'add', '{"n":1}');
    ask('q-2', 'add', '{"n":2}');
    const seen: unknown[] = [];
    const add: RequestHandler = (payload) => {
      seen.push(payload);
      return Promise.resolve({ count: seen.length });
    };
    await work({ add });
    await work({ add });
    expect(seen).toEqual([{ n: 1 }, { n: 2 }]);
    expect(home.store.requests.find('q-2')).toMatchObject({
      status: 'done',
      outcome: '{"count":2}',
    });
  });

  it('fails with a sentence and the next step, and keeps no other from being done', async () => {
    ask('q-1', 'break');
    ask('q-2', 'unknown');
    ask('q-3', 'break', 'not JSON');
    ask('q-4', 'work');
    await work({
      break: () => Promise.reject(new BerthError('not_found', 'It is gone.', { next: 'Look.' })),
      work: () => Promise.resolve(undefined),
    });
    const outcomes = ['q-1', 'q-2', 'q-3', 'q-4'].map((id) => home.store.requests.find(id));
    expect(outcomes.map((request) => request?.status)).toEqual([
      'failed',
      'failed',
      'failed',
      'done',
    ]);
    expect(JSON.parse(outcomes[0]?.outcome ?? '')).toEqual({
      code: 'not_found',
      message: 'It is gone.',
      next: 'Look.',
    });
    expect(outcomes[1]?.outcome).toContain('unknown');
  });

  it('is forgotten some time after it was done, and never before', () => {
    ask('q-1', 'work');
    ask('q-2', 'work');
    home.store.requests.settle('q-1', 'done', 'null');
    expect(home.store.requests.prune(home.clock.iso(1), 10)).toBe(1);
    expect(home.store.requests.find('q-2')?.status).toBe('pending');
  });
});
