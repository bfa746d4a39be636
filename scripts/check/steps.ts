/** The steps of `npm run check`: a command for each, with caches below node_modules/.cache or, on CI, without any. */

export interface Step {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

const cacheDir = 'node_modules/.cache';

/** The longest come first, so that the short ones fill the gaps. */
export function stepsOfCheck(caches: boolean): readonly Step[] {
  const cached = (...args: readonly string[]): readonly string[] => (caches ? args : []);
  return [
    caches
      ? { name: 'lint', command: 'node', args: ['--import', 'tsx', 'scripts/check/lint.ts'] }
      : { name: 'lint', command: 'eslint', args: ['.'] },
    {
      name: 'types',
      command: 'tsc',
      args: [
        '--noEmit',
        ...cached('--incremental', '--tsBuildInfoFile', `${cacheDir}/tsc/check.tsbuildinfo`),
      ],
    },
    {
      name: 'words',
      command: 'node',
      args: ['--import', 'tsx', 'scripts/check/words-main.ts'],
    },
    { name: 'dead', command: 'knip', args: [] },
    {
      name: 'walls',
      command: 'depcruise',
      args: ['--output-type', 'err', 'host', 'container', 'shared', 'test', 'bench', 'scripts'],
    },
    {
      name: 'format',
      command: 'prettier',
      args: [
        '--check',
        '--log-level',
        'warn',
        ...cached('--cache', '--cache-strategy', 'content'),
        ...cached('--cache-location', `${cacheDir}/prettier/check`),
        '.',
      ],
    },
  ];
}
