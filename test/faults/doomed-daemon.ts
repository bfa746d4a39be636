/** A daemon that starts a process and dies of SIGKILL at once. Arguments: state folder, runner; standard input: the spec. */
import { text } from 'node:stream/consumers';
import type { ContainerSpec } from '../../host/containers/spec/container-runtime.js';
import { ProcessRuntime } from '../../host/containers/runtime/process/process-runtime.js';
import { systemClock } from '../../shared/base/clock.js';
import { silentLogger } from '../../shared/base/logger.js';

const [, , stateDir = '', runnerPath = ''] = process.argv;
const spec = JSON.parse(await text(process.stdin)) as ContainerSpec;
const runtime = new ProcessRuntime({
  runners: { echo: runnerPath },
  stateDir,
  installId: spec.owner.installId,
  path: '/usr/bin:/bin',
  logLimits: { maxBytes: 1_000_000, keep: 1 },
  pollIntervalMs: 1_000,
  clock: systemClock,
  log: silentLogger,
});
await runtime.start(spec);
process.kill(process.pid, 'SIGKILL');
