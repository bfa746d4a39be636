import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { isOnCi } from './scripts/ci.js';

/** CI takes nothing for granted: a process for each test file, and files on the disk. */
const quick = !isOnCi(process.env);

/** Deadlines for a slow machine: a test that passes does not wait for them. */
const common = {
  restoreMocks: true,
  unstubEnvs: true,
  testTimeout: 60_000,
  hookTimeout: 60_000,
  expect: { poll: { timeout: 30_000 } },
} as const;

/** No test writes into the home of whoever runs it. */
const guard = 'test/home-guard.ts';

export default defineConfig({
  test: {
    // Tests wait more than they compute; vitest would leave one of two cores idle.
    maxWorkers: Math.max(2, availableParallelism()),
    coverage: {
      provider: 'v8',
      include: ['host/**/*.ts', 'container/**/*.ts', 'shared/**/*.ts'],
      exclude: ['**/*.test.ts', '**/main.ts'],
    },
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: ['{host,container,shared,scripts,bench,test/fakes}/**/*.test.ts'],
          // No module of ours has state, so that files may share a process and what it has loaded.
          isolate: !quick,
          globalSetup: [guard, ...(quick ? ['test/fakes/temp-folder.ts'] : [])],
        },
      },
      {
        test: {
          ...common,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: [guard],
        },
      },
      {
        test: {
          ...common,
          name: 'docker',
          include: ['test/docker/**/*.test.ts'],
          globalSetup: [guard, 'test/docker/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          ...common,
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          globalSetup: [guard, 'test/faults/global-setup.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // They measure times, and kill at moments that depend on them.
          fileParallelism: false,
        },
      },
    ],
  },
});
