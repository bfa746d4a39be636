import { describe, expect, it } from 'vitest';
import { isOnCi } from '../ci.js';
import { describeResult, runSteps } from './run-steps.js';
import { stepsOfCheck, type Step } from './steps.js';

function node(name: string, script: string): Step {
  return { name, command: process.execPath, args: ['-e', script] };
}

describe('steps', () => {
  it('all run, also after one has failed, and each tells how it ended', async () => {
    const results = await runSteps(
      [node('bad', "console.error('why'); process.exit(3)"), node('good', '')],
      1,
      () => undefined,
    );
    expect(results).toMatchObject([
      { name: 'bad', passed: false, output: 'why\n' },
      { name: 'good', passed: true, output: '' },
    ]);
  });

  it('run side by side: two that wait for one another both end', async () => {
    const meet = (mine: string, other: string): string =>
      `const fs = require('fs'), p = require('path').join(require('os').tmpdir(), 'berth-meet-${process.pid}-');
       fs.writeFileSync(p + '${mine}', '');
       const t = setInterval(() => { if (fs.existsSync(p + '${other}')) { clearInterval(t); setTimeout(() => fs.rmSync(p + '${other}'), 100); } }, 5);`;
    const results = await runSteps(
      [node('left', meet('l', 'r')), node('right', meet('r', 'l'))],
      2,
      () => undefined,
    );
    expect(results.map((result) => result.passed)).toEqual([true, true]);
  });

  it('fail where the tool is missing, or is killed', async () => {
    const missing = { name: 'missing', command: 'no-such-tool-of-berth', args: [] };
    const killed = node('killed', "process.kill(process.pid, 'SIGKILL')");
    const results = await runSteps([missing, killed], 1, () => undefined);
    expect(results.map((result) => result.passed)).toEqual([false, false]);
    expect(results[0]?.output).toContain('did not start');
    expect(results[1]?.output).toContain('SIGKILL');
  });

  it('show their output only when they failed', () => {
    const result = { name: 'lint', output: 'line 1\nline 2\n', durationMs: 1_234 };
    expect(describeResult({ ...result, passed: true })).toBe('ok   lint      1.2 s');
    expect(describeResult({ ...result, passed: false })).toBe(
      'FAIL lint      1.2 s\n\nline 1\nline 2\n',
    );
  });
});

describe('caches', () => {
  it('are used but where CI is set to something that means yes', () => {
    expect([{}, { CI: '' }, { CI: 'false' }, { CI: '0' }].map(isOnCi)).not.toContain(true);
    expect([{ CI: 'true' }, { CI: '1' }].map(isOnCi)).not.toContain(false);
  });

  it('lie below node_modules/.cache, and are named by no step without them', () => {
    const words = (caches: boolean) =>
      stepsOfCheck(caches).flatMap((step) => [step.command, ...step.args]);
    expect(words(false).filter((word) => /cache|incremental|lint\.ts/.test(word))).toEqual([]);
    const places = words(true).filter((word) => word.includes('/.cache'));
    expect(places).toHaveLength(2);
  });
});
