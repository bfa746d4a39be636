import { describe, expect, it } from 'vitest';
import { BuildProgress, describeBuildStep } from './build-progress.js';

describe('the progress of a build', () => {
  it('is told line by line, without noise', () => {
    const lines: string[] = [];
    const progress = new BuildProgress((line) => lines.push(line));
    const news = [
      { stream: 'Step 1/2 : FROM x' },
      { stream: '\n' },
      { status: 'Pulling fs layer', id: 'a1', progressDetail: {} },
      { status: 'Downloading', id: 'a1', progress: '[==>  ]' },
      { stream: ' ---> 0123456789ab\n' },
      { stream: '\u001b[91mhalf a' },
      { stream: ' line\u001b[0m\n' },
      { aux: { ID: 'sha256:0' } },
      'nonsense',
    ];
    for (const one of news) progress.take(one);

    expect(lines).toEqual(['Step 1/2 : FROM x', 'a1: Pulling fs layer', 'half a line']);
    expect(progress.error).toBeUndefined();
  });

  it('is a step among so many for who only waits', () => {
    expect(describeBuildStep('Step 2/11 : RUN apt-get install')).toBe(
      'Building the agent image, once: step 2 of 11',
    );
    expect(describeBuildStep('a1: Pulling fs layer')).toBeUndefined();
  });

  it('keeps the last lines of the last step for the one who has to find the fault', () => {
    const progress = new BuildProgress(() => undefined);
    progress.take({ stream: 'Step 1/2 : RUN fine\nfine\nStep 2/2 : RUN bad\n' });
    for (let line = 1; line <= 100; line += 1) progress.take({ stream: `out ${line}\n` });
    progress.take({ stream: 'last words' });
    progress.take({ errorDetail: {}, error: 'returned a non-zero code: 1' });

    expect(progress.error).toBe('returned a non-zero code: 1');
    expect(progress.tail().split('\n')).toHaveLength(20);
    expect(progress.tail()).toMatch(/^out 82\n[^]*out 100\nlast words$/);
  });
});
