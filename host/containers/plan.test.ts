import { describe, expect, it } from 'vitest';
import type { DesiredState } from './desired-state.js';
import { planSteps, type PlanFacts } from './plan.js';
import type { ObservedContainer } from './spec/container-runtime.js';

const sessionId = 's-1';
const owner = { installId: 'i', sessionId, agentGroupId: 'ag-1' };

function container(
  containerId: string,
  startedAtMs: number,
  state: ObservedContainer['state'] = 'running',
): ObservedContainer {
  return {
    containerId,
    owner,
    state,
    startedAtMs,
    exitCode: state === 'exited' ? 1 : null,
    fingerprint: null,
  };
}

const run: DesiredState = { kind: 'running', isPrewarmed: false };
const either: DesiredState = { kind: 'either' };
const absent: DesiredState = { kind: 'absent', reason: 'closed', failsTurn: false };

const old = container('old', 100);
const young = container('young', 200);
const dead = container('dead', 150, 'exited');

const start = { kind: 'start', sessionId, isPrewarmed: false };
const adopt = (containerId: string): object => ({ kind: 'adopt', sessionId, containerId });
const remove = (containerId: string): object => ({ kind: 'remove', sessionId, containerId });
const stop = (containerId: string, reason: string): object => ({
  kind: 'stop',
  sessionId,
  containerId,
  reason,
  failsTurn: false,
});
const settle = (wasExpected: boolean, startedAtMs: number | null): object => ({
  kind: 'settle',
  sessionId,
  wasExpected,
  startedAtMs,
});
const newer = 'its session has a newer one';

interface Case {
  readonly title: string;
  readonly desired: DesiredState;
  readonly containers?: readonly ObservedContainer[];
  readonly attached?: readonly string[];
  readonly isNoted?: boolean;
  readonly hasWork?: boolean;
  readonly steps: readonly object[];
}

const cases: readonly Case[] = [
  { title: 'nothing wanted, nothing there', desired: either, steps: [] },
  { title: 'nothing there, and none may be', desired: absent, steps: [] },
  { title: 'one is wanted, none is there', desired: run, hasWork: true, steps: [start] },
  {
    title: 'one is wanted and runs',
    desired: run,
    containers: [young],
    attached: ['young'],
    isNoted: true,
    steps: [],
  },
  {
    title: 'none is needed, and one goes on',
    desired: either,
    containers: [young],
    attached: ['young'],
    steps: [],
  },
  { title: 'one runs from before', desired: either, containers: [young], steps: [adopt('young')] },
  {
    title: 'one runs from before and is wanted',
    desired: run,
    containers: [young],
    isNoted: true,
    steps: [adopt('young')],
  },
  {
    title: 'two run: the newer is kept',
    desired: run,
    containers: [old, young],
    attached: ['young'],
    steps: [stop('old', newer), remove('old')],
  },
  {
    title: 'two run from before: the newer is taken over',
    desired: either,
    containers: [young, old],
    steps: [stop('old', newer), remove('old'), adopt('young')],
  },
  {
    title: 'one has ended: settled and removed, and a start only after another pass',
    desired: run,
    containers: [dead],
    attached: ['dead'],
    isNoted: true,
    hasWork: true,
    steps: [settle(false, 150), remove('dead')],
  },
  {
    title: 'one has ended and nothing waits',
    desired: either,
    containers: [dead],
    steps: [settle(false, 150), remove('dead')],
  },
  {
    title: 'one has ended beside one that runs: its claims may be the other’s',
    desired: run,
    containers: [dead, young],
    attached: ['young'],
    steps: [remove('dead')],
  },
  {
    title: 'several have ended: settled once, by the youngest',
    desired: either,
    containers: [dead, container('older', 50, 'exited')],
    steps: [settle(false, 150), remove('dead'), remove('older')],
  },
  {
    title: 'one has vanished without a trace',
    desired: run,
    isNoted: true,
    hasWork: true,
    steps: [settle(false, null)],
  },
  {
    title: 'one runs and must not',
    desired: absent,
    containers: [young],
    attached: ['young'],
    isNoted: true,
    steps: [stop('young', 'closed'), settle(true, 200), remove('young')],
  },
  {
    title: 'two run and must not',
    desired: absent,
    containers: [old, young],
    steps: [
      stop('young', 'closed'),
      stop('old', 'closed'),
      settle(true, 200),
      remove('young'),
      remove('old'),
    ],
  },
  {
    title: 'one has ended that must not be',
    desired: absent,
    containers: [dead],
    steps: [settle(true, 150), remove('dead')],
  },
  {
    title: 'one has vanished that must not be',
    desired: absent,
    isNoted: true,
    steps: [settle(true, null)],
  },
  {
    title: 'messages wait where nothing will run any more',
    desired: absent,
    hasWork: true,
    steps: [settle(true, null)],
  },
];

describe('the plan for one session', () => {
  it.each(cases)('when $title', ({ steps, attached = [], ...facts }) => {
    const planned: PlanFacts = {
      sessionId,
      containers: [],
      isNoted: false,
      hasWork: false,
      ...facts,
      attached: new Set(attached),
    };
    expect(planSteps(planned)).toEqual(steps);
  });

  it('leaves the list that it was given as it is', () => {
    const containers = [old, young];
    planSteps({
      sessionId,
      desired: run,
      containers,
      attached: new Set(),
      isNoted: true,
      hasWork: true,
    });
    expect(containers).toEqual([old, young]);
  });
});
