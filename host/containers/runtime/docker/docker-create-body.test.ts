import { describe, expect, it } from 'vitest';
import { postureFor } from '../../spec/posture.js';
import type { ContainerSpec } from '../../spec/container-runtime.js';
import { createBody, parseOwner } from './docker-create-body.js';

const workspace = { inDir: '/h/in', outDir: '/h/out', agentDir: '/h/agent', homeDir: '/h/home' };
const spec: ContainerSpec = {
  name: 'berth-i-s',
  owner: { installId: 'i', sessionId: 's', agentGroupId: 'g' },
  workspace,
  provider: 'echo',
  env: { A: '1', HOME: '/elsewhere' },
  posture: postureFor({
    user: '1000:1000',
    workspace,
    config: { network: 'none', memoryMb: 512, cpus: 0.5, pidsLimit: 100 },
  }),
  logPath: '/h/log',
  fingerprint: 'v1 in=1:2',
};

describe('what the engine is asked for', () => {
  const body = createBody(spec, 'berth-agent:1', 42);

  it('is a container without rights, within limits', () => {
    expect(body.User).toBe('1000:1000');
    expect(body.HostConfig).toMatchObject({
      Init: true,
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      CapAdd: [],
      Privileged: false,
      SecurityOpt: ['no-new-privileges'],
      Tmpfs: { '/tmp': 'rw,noexec,nosuid,nodev,size=64m,mode=1777' },
      CgroupnsMode: 'private',
      OomScoreAdj: 500,
      Ulimits: [
        { Name: 'core', Soft: 0, Hard: 0 },
        { Name: 'nofile', Soft: 1_024, Hard: 4_096 },
      ],
      NetworkMode: 'none',
      Memory: 536_870_912,
      MemorySwap: 536_870_912,
      NanoCpus: 500_000_000,
      PidsLimit: 100,
    });
    expect(body.HostConfig).not.toHaveProperty('RestartPolicy');
  });

  it("mounts the session's four folders, the inbound one read-only, and nothing else", () => {
    expect(body.HostConfig['Mounts']).toEqual([
      { Type: 'bind', Source: '/h/in', Target: '/workspace/in', ReadOnly: true },
      { Type: 'bind', Source: '/h/out', Target: '/workspace/out', ReadOnly: false },
      { Type: 'bind', Source: '/h/agent', Target: '/workspace/agent', ReadOnly: false },
      { Type: 'bind', Source: '/h/home', Target: '/workspace/home', ReadOnly: false },
    ]);
    expect(body.HostConfig).not.toHaveProperty('Binds');
  });

  it('keeps the home in the workspace, whatever the environment says', () => {
    expect(body.Env).toEqual(['A=1', 'HOME=/workspace/home']);
  });

  it('runs the runner of its provider', () => {
    expect(body.Cmd).toEqual(['/opt/berth/runner-echo.cjs']);
  });

  it('says whose it is', () => {
    expect(parseOwner(body.Labels)).toEqual(spec.owner);
    expect(parseOwner({ 'berth.install': 'i' })).toBeUndefined();
  });

  it('says what it was started with', () => {
    expect(body.Labels['berth.fingerprint']).toBe('v1 in=1:2');
  });
});
