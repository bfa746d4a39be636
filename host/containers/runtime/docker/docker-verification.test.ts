import { describe, expect, it } from 'vitest';
import { inspectedByDocker } from '../../../../test/fakes/inspected-containers.js';
import { specFor } from '../../../../test/fakes/container-specs.js';
import type { PostureVerdict } from '../../spec/container-runtime.js';
import { createBody } from './docker-create-body.js';
import type { DockerEngine } from './docker-engine.js';
import type { InspectedContainer } from './docker-inspect.js';
import { verifyRunning } from './docker-verification.js';

const workspace = { inDir: '/h/in', outDir: '/h/out', agentDir: '/h/agent', homeDir: '/h/home' };
const spec = specFor({ installId: 'i', sessionId: 's', workspace, env: {} });
const created = inspectedByDocker(createBody(spec, 'berth-agent:1', 1));
const running = { ...created, State: { Running: true, Pid: process.pid } };

type Answer = Awaited<ReturnType<DockerEngine['inspectContainer']>>;

/** `answers`: of the engine, in turn; the last one stays. */
function verify(...answers: readonly (InspectedContainer | undefined)[]): Promise<PostureVerdict> {
  let asked = -1;
  const engine = {
    inspectContainer: (): Promise<Answer> => {
      asked = Math.min(asked + 1, answers.length - 1);
      return Promise.resolve(answers[asked] as Answer);
    },
  };
  return verifyRunning(engine, 'f00d', spec.posture, new AbortController().signal);
}

describe('a running container', () => {
  it('of an engine in a virtual machine is not judged by a process of this one with the same number', async () => {
    expect(await verify(running)).toEqual({
      kind: 'unseen',
      why: 'the engine runs agents out of sight',
    });
  });

  it.each([
    ['has ended', { ...running, State: { Running: false, Pid: 0 } }],
    ['was removed', undefined],
  ])('that %s while it was to be verified is gone', async (_, then) => {
    expect(await verify(then)).toEqual({ kind: 'gone' });
    expect(await verify(running, then)).toEqual({ kind: 'gone' });
  });

  it('in a sandbox of its own is not judged by the sandbox', async () => {
    const HostConfig = { ...running.HostConfig, Runtime: 'runsc' };
    expect(await verify({ ...running, HostConfig })).toEqual({
      kind: 'unseen',
      why: 'the engine runs agents with runsc',
    });
  });
});
