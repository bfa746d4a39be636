import { describe, expect, it } from 'vitest';
import { BerthError } from '../../../shared/base/errors.js';
import { silentLogger } from '../../../shared/base/logger.js';
import { FakeClock } from '../../../test/fakes/fake-clock.js';
import { FakeRuntime } from '../../../test/fakes/fake-runtime.js';
import { chooseRuntime, type RuntimeDecision, type RuntimeWish } from './choose-runtime.js';

describe('the runtime', () => {
  const docker = new FakeRuntime({ clock: new FakeClock() });
  const processes = new FakeRuntime({ clock: new FakeClock(), isolates: false });
  const away = new BerthError('engine_unreachable', 'No container engine answers.');

  function choose(
    choice: RuntimeWish['choice'],
    { isAway = false, ranContainers = false },
  ): Promise<RuntimeDecision> {
    docker.goAway(isAway ? away : undefined);
    const candidates = { docker, process: processes };
    return chooseRuntime({ choice, ranContainers }, candidates, () => undefined, silentLogger);
  }

  it('is containers where an engine answers', async () => {
    expect(await choose('auto', {})).toEqual({ runtime: docker, remark: null });
  });

  it('is plain processes where none does, said aloud', async () => {
    const { runtime, remark } = await choose('auto', { isAway: true });
    expect(runtime).toBe(processes);
    expect(remark).toContain('nothing isolates them');
    expect(remark).toContain(away.message);
  });

  it('is never plain processes by itself where agents ran in containers before', async () => {
    const { runtime, remark } = await choose('auto', { isAway: true, ranContainers: true });
    expect(runtime).toBe(docker);
    expect(remark).toContain('--runtime process');
    expect(remark).toContain(away.message);
  });

  it('is what was chosen by name', async () => {
    expect((await choose('docker', { isAway: true })).runtime).toBe(docker);
    expect((await choose('process', { ranContainers: true })).runtime).toBe(processes);
  });
});
