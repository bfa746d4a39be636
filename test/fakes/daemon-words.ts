import type { DaemonState } from '../../host/store/daemon-state.js';

/** A daemon that is well says this about itself. It is ending: nothing sends its process, the first one, a signal. */
export const daemonWords: DaemonState = {
  phase: 'stopping',
  pid: 1,
  version: '1.0.0',
  startedAt: '2026-01-01T00:00:00.000Z',
  runtime: 'process',
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
