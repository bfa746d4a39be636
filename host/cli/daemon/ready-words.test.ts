import { describe, expect, it } from 'vitest';
import type { DaemonState } from '../../store/daemon-state.js';
import { describeReady, listProblems } from './ready-words.js';

const state: DaemonState = {
  phase: 'ready',
  pid: 7,
  version: '1.0.0',
  startedAt: '2026-01-01T00:00:00.000Z',
  runtime: 'docker',
  activity: null,
  problem: null,
  disk: null,
  shortage: null,
  channels: { terminal: 'running' },
  channelErrors: {},
  loopDelay: null,
  timeZone: null,
  timeZoneRemark: null,
  leftRunning: [],
  program: null,
  homeFolder: null,
  supervisor: null,
  engine: null,
  settings: null,
  isolates: null,
  unverified: null,
  remarks: [],
};

describe('what is said about a daemon that is ready', () => {
  it('names its problems: an engine that is away, and channels that do not run', () => {
    expect(listProblems(state)).toEqual([]);
    const problems = listProblems({
      ...state,
      problem: 'No container engine answers.',
      channels: { terminal: 'the socket is taken', slack: 'starting' },
    });
    expect(problems).toEqual([
      'No container engine answers.',
      'the channel terminal does not run (the socket is taken)',
      'the channel slack does not run (starting)',
    ]);
    const said = describeReady({ ...state, remark: 'Mind the gap.', problems, socket: '/s' });
    expect(said.split('\n')).toEqual([
      'Ready: pid 7, runtime docker, socket /s',
      'Mind the gap.',
      ...problems.map((problem) => `Problem: ${problem}`),
    ]);
  });

  it('says nothing of channels that are not to run', () => {
    expect(listProblems({ ...state, channels: { ops: 'disabled' } })).toEqual([]);
  });

  it('says nothing of channels that have not begun', () => {
    expect(
      listProblems({ ...state, phase: 'stopping', channels: { terminal: 'stopped' } }),
    ).toEqual([]);
  });
});
