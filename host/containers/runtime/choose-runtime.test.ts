import { beforeEach, describe, expect, it } from 'vitest';
import { BerthError } from '../../../shared/base/errors.js';
import { silentLogger } from '../../../shared/base/logger.js';
import { FakeClock } from '../../../test/fakes/fake-clock.js';
import { FakeRuntime } from '../../../test/fakes/fake-runtime.js';
import type { RuntimeStrategy } from './builtin-runtimes.js';
import { chooseRuntime, type RuntimeDecision, type RuntimeWish } from './choose-runtime.js';

const away = new BerthError('engine_unreachable', 'No container engine answers.');

class FakeStrategy implements RuntimeStrategy {
  readonly runtime: FakeRuntime;
  readonly name: RuntimeStrategy['name'];
  readonly isolates: boolean;
  readonly address: string | null;
  problem: BerthError | undefined;
  asked = 0;

  /** `address`: null for one that does not isolate. */
  constructor(address: string | null) {
    this.address = address;
    this.isolates = address !== null;
    this.name = this.isolates ? 'docker' : 'process';
    this.runtime = new FakeRuntime({ clock: new FakeClock(), isolates: this.isolates });
  }

  canReach(): Promise<BerthError | undefined> {
    this.asked += 1;
    return Promise.resolve(this.problem);
  }

  build(): FakeRuntime {
    return this.runtime;
  }
}

describe('the runtime', () => {
  let first: FakeStrategy;
  let second: FakeStrategy;
  let processes: FakeStrategy;

  beforeEach(() => {
    [first, second] = [new FakeStrategy('unix:///1'), new FakeStrategy('unix:///2')];
    processes = new FakeStrategy(null);
  });

  function choose(wish: Partial<RuntimeWish> = {}): Promise<RuntimeDecision> {
    const whole = { choice: 'auto', ranIsolated: false, lastEngine: null, ...wish } as const;
    const strategies = [first, second, processes];
    return chooseRuntime(whole, strategies, () => undefined, silentLogger);
  }

  it('is the first that can be reached, and no other is asked', async () => {
    expect(await choose()).toMatchObject({ strategy: first, runtime: first.runtime, remark: null });
    expect(second.asked).toBe(0);
    first.problem = away;
    expect(await choose()).toMatchObject({ strategy: second, remark: null });
  });

  it('is plain processes where none can be reached, said aloud', async () => {
    first.problem = second.problem = away;
    const { runtime, remark } = await choose();
    expect(runtime).toBe(processes.runtime);
    expect(remark).toContain('nothing isolates them');
    expect(remark).toContain(away.message);
  });

  it('is plain processes where the image is not to be had, said aloud', async () => {
    first.runtime.prepare = () => Promise.reject(new BerthError('image_failed', 'No image.'));
    const { runtime, remark } = await choose();
    expect(runtime).toBe(processes.runtime);
    expect(remark).toContain('No image.');
  });

  it('tells why a socket that is there cannot be used rather than that another is not there', async () => {
    first.problem = new BerthError('engine_unreachable', 'Not there.', {
      facts: { errno: 'ENOENT' },
    });
    second.problem = new BerthError('engine_unreachable', 'It lets us not in.');
    expect((await choose()).remark).toContain('It lets us not in.');
  });

  it('never stops isolating by itself where agents were isolated before, whatever it is called', async () => {
    first.problem = second.problem = away;
    const { runtime, remark } = await choose({ ranIsolated: true });
    expect(runtime).toBe(first.runtime);
    expect(remark).toContain('--runtime process');
    expect(remark).toContain(away.message);
    first.runtime.prepare = () => Promise.reject(new BerthError('image_failed', 'No image.'));
    first.problem = undefined;
    expect((await choose({ ranIsolated: true })).runtime).toBe(first.runtime);
  });

  it('waits for the engine of before, where its containers may go on, though another answers', async () => {
    second.problem = away;
    const { runtime, remark } = await choose({ ranIsolated: true, lastEngine: 'unix:///2' });
    expect(runtime).toBe(second.runtime);
    expect(remark).toContain('say DOCKER_HOST=unix:///1');
    const named = await choose({ choice: 'docker', lastEngine: 'unix:///2' });
    expect(named).toMatchObject({
      runtime: second.runtime,
      remark: expect.stringContaining('///1') as string,
    });
  });

  it('is the first again where the engine of before answers too, or is not searched for any more', async () => {
    expect((await choose({ lastEngine: 'unix:///2' })).runtime).toBe(first.runtime);
    expect((await choose({ lastEngine: 'unix:///3' })).runtime).toBe(first.runtime);
  });

  it('is what was chosen by name', async () => {
    expect((await choose({ choice: 'docker' })).remark).toBeNull();
    first.problem = second.problem = away;
    expect(await choose({ choice: 'docker' })).toMatchObject({
      runtime: first.runtime,
      remark: null,
    });
    first.problem = second.problem = new BerthError('engine_failed', 'It will not do.', {
      next: 'Use another.',
    });
    expect((await choose({ choice: 'docker' })).remark).toBe('It will not do. Use another.');
    expect((await choose({ choice: 'process', ranIsolated: true })).runtime).toBe(
      processes.runtime,
    );
  });
});
