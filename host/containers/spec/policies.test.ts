import { describe, expect, it } from 'vitest';
import { parseContainerConfig } from '../../store/container-config.js';
import type { Session } from '../../store/sessions.js';
import { containerSpecFor } from './container-spec.js';
import { decideDesired, type DesiredFacts } from '../desired-state.js';
import { assertMountsAllowed } from './mount-policy.js';
import { commonPosture } from './posture.js';
import { ObservedState } from '../observed-state.js';
import { assertProviderAllowed } from './provider-policy.js';
import type { ObservedContainer } from './container-runtime.js';

const now = '2026-01-31T12:00:00.000Z';

const session: Session = {
  id: 's-1',
  agentGroupId: 'ag-1',
  messagingGroupId: 'mg-1',
  threadId: null,
  provider: null,
  status: 'active',
  statusReason: null,
  containerStatus: 'stopped',
  lastActive: null,
  createdAt: now,
};

const workspace = {
  inDir: '/home/data/sessions/s-1/in',
  outDir: '/home/data/sessions/s-1/out',
  homeDir: '/home/data/sessions/s-1/home',
  agentDir: '/home/groups/main',
};

describe('the desired state of a session', () => {
  const due = { sessionId: 's-1', kind: 'wake', dueAt: now, attempts: 0 } as const;
  const later = { ...due, dueAt: '2026-01-31T12:00:00.001Z' };
  const facts: DesiredFacts = {
    session,
    hasAgentGroup: true,
    wake: undefined,
    now,
    isRunning: true,
    stuckReason: undefined,
    restartReason: undefined,
    idleTimeoutMs: 60_000,
    mustGivePlace: false,
    needsRepair: false,
    difference: undefined,
    isBusy: false,
    isImageReady: true,
  };
  const prewarmed: Session = { ...session, status: 'warm' };
  const hourAgo = '2026-01-31T11:00:00.000Z';

  it.each<[string, Partial<DesiredFacts>, string]>([
    ['nothing waits', {}, 'either'],
    ['a message waits', { wake: due }, 'running'],
    ['its time comes later', { wake: later }, 'either'],
    ['it was closed', { session: { ...session, status: 'closed' }, wake: due }, 'absent'],
    ['it was quarantined', { session: { ...session, status: 'set-aside' }, wake: due }, 'absent'],
    ['it does not exist', { session: undefined, wake: due }, 'absent'],
    ['it is prewarmed, and waits for its conversation', { session: prewarmed }, 'running'],
    ['it is prewarmed, and could not be started', { session: prewarmed, wake: later }, 'either'],
    ['it was used a moment ago', { session: { ...session, lastActive: now } }, 'either'],
    ['it had nothing to do for long', { session: { ...session, lastActive: hourAgo } }, 'absent'],
    [
      'it had nothing to do for long, and a message waits',
      { session: { ...session, lastActive: hourAgo }, wake: due },
      'running',
    ],
    [
      'it had nothing to do for long, and has no container',
      { session: { ...session, lastActive: hourAgo }, isRunning: false },
      'either',
    ],
    ['another needs its place', { mustGivePlace: true }, 'absent'],
    ['another needs its place, and a message waits', { mustGivePlace: true, wake: due }, 'running'],
    ['its turn hangs', { stuckReason: 'it hangs', wake: due }, 'absent'],
    ['its turn hung, and it is gone', { stuckReason: 'x', wake: due, isRunning: false }, 'running'],
    ['its agent group does not exist', { hasAgentGroup: false, wake: due }, 'absent'],
  ])('when %s', (_, fields, kind) => {
    expect(decideDesired({ ...facts, ...fields }).kind).toBe(kind);
  });
});

describe('what a container may see', () => {
  const roots = { sessionDir: '/home/data/sessions/s-1', groupsDir: '/home/groups' };

  it('is its own session and its agent’s folder', () => {
    expect(() => {
      assertMountsAllowed(workspace, roots);
    }).not.toThrow();
  });

  it.each([
    { inDir: '/home/data/sessions/s-2/in' },
    { outDir: '/home/data/sessions/s-10/out' },
    { homeDir: '/home/data/sessions/s-1' },
    { homeDir: '/root' },
    { inDir: '/home/data/sessions/s-1/../s-2/in' },
    { agentDir: '/home/groups' },
    { agentDir: '/home/groups-of-others/main' },
    { agentDir: 'groups/main' },
    { agentDir: '' },
  ])('is never %j', (fields) => {
    expect(() => {
      assertMountsAllowed({ ...workspace, ...fields }, roots);
    }).toThrow(expect.objectContaining({ code: 'spec_refused' }));
  });
});

describe('the desired state of a container that was started with something else', () => {
  const due = { sessionId: 's-1', kind: 'wake', dueAt: now, attempts: 0 } as const;
  const provider = {
    part: 'provider',
    reason: 'its provider has changed',
    isCutOff: false,
  } as const;
  const image = { part: 'image', reason: 'its image has changed', isCutOff: false } as const;
  const folder = {
    part: 'out',
    reason: 'its session folder was replaced',
    isCutOff: true,
  } as const;
  const unknown = { part: null, reason: 'it was started by another version', isCutOff: false };
  const facts: DesiredFacts = {
    session,
    hasAgentGroup: true,
    wake: due,
    now,
    isRunning: true,
    stuckReason: undefined,
    restartReason: undefined,
    idleTimeoutMs: 60_000,
    mustGivePlace: false,
    needsRepair: false,
    difference: provider,
    isBusy: false,
    isImageReady: true,
  };
  const prewarmed: Session = { ...session, status: 'warm' };

  it.each<[string, Partial<DesiredFacts>, string | undefined]>([
    ['it is at rest', {}, provider.reason],
    ['it is at rest and nothing waits', { wake: undefined }, provider.reason],
    ['it is in a turn', { isBusy: true }, undefined],
    ['it is in a turn that nobody will see', { isBusy: true, difference: folder }, folder.reason],
    ['it is of another version', { difference: unknown }, unknown.reason],
    ['it is of another version, in a turn', { difference: unknown, isBusy: true }, undefined],
    ['the new image is there', { difference: image }, image.reason],
    ['the new image is not there', { difference: image, isImageReady: false }, undefined],
    [
      'the new image is not there, and nobody has spoken yet',
      { difference: image, isImageReady: false, session: prewarmed, wake: undefined },
      image.reason,
    ],
    ['none runs', { isRunning: false }, undefined],
    ['nothing differs', { difference: undefined }, undefined],
  ])('is right where %s', (_what, change, reason) => {
    const desired = decideDesired({ ...facts, ...change });
    if (reason === undefined) expect(desired.kind).not.toBe('absent');
    else expect(desired).toEqual({ kind: 'absent', reason, failsTurn: false });
  });
});

describe('the specification of a container', () => {
  it('carries the limits of its agent group, and a name that no second one can have', () => {
    const config = parseContainerConfig('{"network":"bridge","memoryMb":128,"cpus":0.5}');
    const facts = {
      installId: 'abc',
      session,
      workspace,
      config,
      provider: 'echo',
      user: '1000:1000',
      logPath: '/l',
      fingerprint: 'v1',
    };
    const spec = containerSpecFor(facts);
    expect(spec).toEqual({
      name: 'berth-abc-s-1',
      owner: { installId: 'abc', sessionId: 's-1', agentGroupId: 'ag-1' },
      workspace,
      provider: 'echo',
      env: {},
      posture: {
        ...commonPosture,
        user: '1000:1000',
        limits: { memoryMb: 128, cpus: 0.5, pids: 256 },
        network: 'bridge',
        mounts: [
          { source: workspace.inDir, target: '/workspace/in', readOnly: true },
          { source: workspace.outDir, target: '/workspace/out', readOnly: false },
          { source: workspace.agentDir, target: '/workspace/agent', readOnly: false },
          { source: workspace.homeDir, target: '/workspace/home', readOnly: false },
        ],
      },
      logPath: '/l',
      fingerprint: 'v1',
    });
    expect(containerSpecFor({ ...facts, session: { ...session, id: 's-2' } }).name).not.toBe(
      spec.name,
    );
  });
});

describe('a provider that runs tools', () => {
  const nowhere = { isolates: false, name: 'process' };
  const known = { echo: { runsTools: false }, claude: { runsTools: true } };

  it('needs a container, or leave by name', () => {
    expect(() => {
      assertProviderAllowed('claude', nowhere, [], known);
    }).toThrow(expect.objectContaining({ code: 'spec_refused' }));
    expect(() => {
      assertProviderAllowed('claude', nowhere, ['claude-2', 'Claude'], known);
    }).toThrow(/runs tools/);
    assertProviderAllowed('claude', nowhere, ['claude'], known);
    assertProviderAllowed('claude', { isolates: true, name: 'docker' }, [], known);
  });

  it('is not one that there is not, wherever it would run and whatever is allowed', () => {
    expect(() => {
      assertProviderAllowed('cluade', { isolates: true, name: 'docker' }, ['cluade'], known);
    }).toThrow('There is no provider "cluade".');
  });

  it('is not echo, which needs neither', () => {
    expect(() => {
      assertProviderAllowed('echo', nowhere, []);
    }).not.toThrow();
  });
});

describe('the observed state', () => {
  const running: ObservedContainer = {
    containerId: 'c-1',
    owner: { installId: 'i', sessionId: 's-1', agentGroupId: 'ag-1' },
    state: 'running',
    startedAtMs: 1,
    exitCode: null,
    fingerprint: null,
  };

  it('is what was listed last', () => {
    const observed = new ObservedState();
    expect(observed.isListed).toBe(false);
    observed.replace([running], performance.now());
    expect(observed.isListed).toBe(true);
    expect(observed.listForSession('s-1')).toEqual([running]);
    expect(observed.listForSession('s-2')).toEqual([]);
    const ended = { ...running, state: 'exited', exitCode: 0 } as const;
    observed.replace([ended], performance.now() + 1);
    expect(observed.list()).toEqual([ended]);
    observed.replace([], performance.now() + 2);
    expect(observed.list()).toEqual([]);
  });

  it('keeps what was noted after a listing had been asked for', () => {
    const observed = new ObservedState();
    const askedAt = performance.now();
    observed.note(running);
    observed.replace([], askedAt);
    expect(observed.list()).toEqual([running]);
    observed.replace([{ ...running, state: 'exited' }], askedAt);
    expect(observed.list()).toEqual([running]);
    observed.replace([], performance.now() + 1);
    expect(observed.list()).toEqual([]);
  });

  it('forgets what was removed', () => {
    const observed = new ObservedState();
    observed.note(running);
    observed.forget('c-1');
    observed.forget('c-unknown');
    expect(observed.list()).toEqual([]);
  });
});
