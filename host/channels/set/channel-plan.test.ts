import { describe, expect, it } from 'vitest';
import {
  planChannel,
  retryDelayMs,
  sourceOf,
  type ActualChannel,
  type ChannelStep,
  type DesiredChannel,
} from './channel-plan.js';

const row: DesiredChannel = { id: 'ops', type: 'terminal', config: '{}', enabled: true };
const changed: DesiredChannel = { ...row, config: '{"socketPath":"x"}' };
const disabled: DesiredChannel = { ...row, enabled: false };
const madeOf = sourceOf(row);
const running: ActualChannel = { state: 'running', madeOf };
const starting: ActualChannel = { state: 'starting', madeOf };
const failed: ActualChannel = { state: 'failed', madeOf, isRetryDue: false };
const due: ActualChannel = { ...failed, isRetryDue: true };

describe('what is done about a channel', () => {
  it.each<[string, DesiredChannel | undefined, ActualChannel, ChannelStep]>([
    ['it is wanted, and none runs', row, { state: 'stopped' }, 'start'],
    ['it is wanted, and runs', row, running, 'none'],
    ['it is wanted, and starts', row, starting, 'none'],
    ['it has another config', changed, running, 'restart'],
    ['it has another config while it starts', changed, starting, 'restart'],
    ['it has another config after it has failed', changed, failed, 'restart'],
    ['it has another type', { ...row, type: 'other' }, running, 'restart'],
    ['it has failed, and waits', row, failed, 'none'],
    ['it has failed, and has waited', row, due, 'restart'],
    ['it is disabled', disabled, running, 'stop'],
    ['it is disabled while it starts', disabled, starting, 'stop'],
    ['it is disabled after it has failed', disabled, due, 'stop'],
    ['it is disabled, and none runs', disabled, { state: 'stopped' }, 'none'],
    ['its row is gone', undefined, running, 'stop'],
    ['its row is gone, and none runs', undefined, { state: 'stopped' }, 'none'],
  ])('where %s', (_what, desired, actual, step) => {
    expect(planChannel(desired, actual)).toBe(step);
  });

  it('is tried again later with each failure, up to a limit', () => {
    const limits = { baseMs: 1_000, maxMs: 5_000 };
    expect([1, 2, 3, 4, 99].map((failures) => retryDelayMs(failures, limits))).toEqual([
      1_000, 2_000, 4_000, 5_000, 5_000,
    ]);
  });
});
