import { describe, expect, it } from 'vitest';
import { decideHealth, type HealthFacts } from './health.js';

const well: HealthFacts = {
  running: true,
  phase: 'ready',
  answers: true,
  problems: [],
  deadLetters: 0,
  remarks: [],
};

describe('the health of a daemon', () => {
  it.each([
    ['that is well', {}, 'OK', []],
    ['that does not run', { running: false }, 'CRITICAL', ['the daemon does not run']],
    ['that does not answer', { answers: false }, 'CRITICAL', ['the daemon does not answer']],
    ['whose engine is away', { problems: ['no engine'] }, 'CRITICAL', ['no engine']],
    ['that starts', { phase: 'starting' }, 'WARNING', ['the daemon is starting']],
    ['that has given something up', { deadLetters: 2 }, 'WARNING', ['2 dead letters']],
    ['that has something to say', { remarks: ['a copy'] }, 'WARNING', ['a copy']],
    ['that says nothing', { phase: undefined }, 'UNKNOWN', ['the daemon says nothing of itself']],
  ] as const)('%s: %j is %s', (_, facts, level, reasons) => {
    expect(decideHealth({ ...well, ...facts })).toEqual({ level, reasons });
  });
});
