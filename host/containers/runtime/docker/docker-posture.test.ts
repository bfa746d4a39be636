import { describe, expect, it } from 'vitest';
import {
  inspectedByDocker,
  inspectedByPodman,
} from '../../../../test/fakes/inspected-containers.js';
import { specFor } from '../../../../test/fakes/container-specs.js';
import { createBody } from './docker-create-body.js';
import { parseInspected, type InspectedContainer } from './docker-inspect.js';
import { findPostureDifferences } from './docker-posture.js';
import { postureDiffers } from './posture-difference.js';

const workspace = { inDir: '/h/in', outDir: '/h/out', agentDir: '/h/agent', homeDir: '/h/home' };
const spec = specFor({ installId: 'i', sessionId: 's', workspace, env: {} });
const body = createBody(spec, 'berth-agent:1', 1);
const docker = inspectedByDocker(body);

function clausesOf(found: InspectedContainer): readonly string[] {
  return findPostureDifferences(spec.posture, parseInspected(found)).map(({ clause }) => clause);
}

describe('a container', () => {
  it.each([
    ['Docker', docker],
    ['Podman', inspectedByPodman(body)],
  ])('that %s made as it was asked to differs in nothing', (_, found) => {
    expect(clausesOf(found)).toEqual([]);
  });

  it('of an engine in a virtual machine has its folders below another one', () => {
    const Mounts = docker.Mounts!.map((it) => ({ ...it, Source: `/host_mnt${it.Source}` }));
    expect(clausesOf({ ...docker, Mounts })).toEqual([]);
  });

  it('on a kernel that does not count swap has its limit of memory all the same', () => {
    const HostConfig = { ...docker.HostConfig, MemorySwap: -1 };
    expect(clausesOf({ ...docker, HostConfig })).toEqual([]);
  });

  it.each<[clause: string, fields: Partial<InspectedContainer['HostConfig']>]>([
    ['it keeps capabilities of root', { CapDrop: null }],
    ['it keeps capabilities of root', { CapDrop: ['NET_RAW', 'MKNOD'] }],
    ['it has the capabilities SYS_ADMIN', { CapAdd: ['CAP_SYS_ADMIN'] }],
    ['its programs may gain privileges (no-new-privileges is not set)', { SecurityOpt: [] }],
    [
      'no seccomp profile filters its system calls',
      { SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'] },
    ],
    [
      'no AppArmor profile confines it',
      { SecurityOpt: ['no-new-privileges', 'apparmor=unconfined'] },
    ],
    ['its root file system can be written', { ReadonlyRootfs: false }],
    ['its /tmp is not noexec, size=64m', { Tmpfs: { '/tmp': 'rw,nosuid,nodev,mode=1777' } }],
    [
      'its /run takes devices or setuid programs',
      { Tmpfs: { ...docker.HostConfig.Tmpfs, '/run': 'rw' } },
    ],
    [
      'its ulimit core is not set instead of 0:0',
      { Ulimits: [{ Name: 'nofile', Soft: 1_024, Hard: 4_096 }] },
    ],
    [
      'its ulimit nofile is 1048576:1048576 instead of 1024:4096',
      {
        Ulimits: [
          { Name: 'core', Soft: 0, Hard: 0 },
          { Name: 'nofile', Soft: 1_048_576, Hard: 1_048_576 },
        ],
      },
    ],
    ["it sees others' control groups", { CgroupnsMode: 'host' }],
    ["it sees others' processes", { PidMode: 'host' }],
    ["it shares others' memory", { IpcMode: 'container:abc' }],
    ["it shares the host's name", { UTSMode: 'host' }],
    ['its oom_score_adj is 0, not 500', { OomScoreAdj: 0 }],
    ['its memory is not limited to 256 MiB', { Memory: 0 }],
    ['it is not limited to 1 CPUs', { NanoCpus: null }],
    ['it is not limited to 64 processes', { PidsLimit: null }],
    ['its network is "bridge" instead of none', { NetworkMode: 'bridge' }],
    ['it is privileged', { Privileged: true }],
    ['it has devices of the machine', { Devices: [{ PathOnHost: '/dev/kvm' }] }],
    ["it sees the machine's /proc unmasked", { MaskedPaths: [] }],
  ])('is said to differ: %s', (clause, fields) => {
    expect(clausesOf({ ...docker, HostConfig: { ...docker.HostConfig, ...fields } })).toEqual([
      clause,
    ]);
  });

  it('with the network may have an engine that calls its bridge otherwise, and never the host’s', () => {
    const posture = { ...spec.posture, network: 'bridge' as const };
    const clauses = (NetworkMode: string): readonly string[] =>
      findPostureDifferences(posture, {
        ...docker,
        HostConfig: { ...docker.HostConfig, NetworkMode },
      }).map(({ clause }) => clause);
    expect(clauses('slirp4netns')).toEqual([]);
    expect(clauses('host')).toEqual(['its network is "host" instead of bridge']);
  });

  it('of another user is said to differ', () => {
    expect(clausesOf({ ...docker, Config: { User: '' } })).toEqual([
      `it runs as user "" instead of ${spec.posture.user}`,
    ]);
  });

  it('that sees other folders than its own is said to differ', () => {
    const [first, ...others] = docker.Mounts!;
    const Mounts = [
      { ...first!, RW: true },
      ...others.slice(1),
      { Type: 'volume', Source: '/v', Destination: '/data', RW: true },
    ];
    expect(clausesOf({ ...docker, Mounts })).toEqual([
      'its /workspace/in can be written',
      'its /workspace/out is not /h/out',
      'it has /data mounted besides',
    ]);
  });

  it('that differs is refused with all that differs, and what helps', () => {
    const HostConfig = { ...docker.HostConfig, PidsLimit: 0, Memory: 0, CapDrop: [] };
    const found = parseInspected({ ...docker, HostConfig });
    const error = postureDiffers(findPostureDifferences(spec.posture, found));
    expect(error).toMatchObject({
      code: 'posture_differs',
      message:
        "The container engine did not give an agent's container what Berth asked for: it keeps capabilities of root, its memory is not limited to 256 MiB, it is not limited to 64 processes.",
    });
    expect(error.next).toMatch(/DOCKER_HOST.*docker info/);
  });

  it('that is described in unknown words is not started', () => {
    expect(() => parseInspected({ HostConfig: {} })).toThrow(
      expect.objectContaining({ code: 'engine_failed' }),
    );
  });
});
