import { defineConfig } from 'vitest/config';

const common = { restoreMocks: true, unstubEnvs: true } as const;

export default defineConfig({
  test: {
    coverage: {
      provider: 'v8',
      include: ['host/**/*.ts', 'container/**/*.ts', 'shared/**/*.ts'],
      exclude: ['**/*.test.ts', '**/main.ts'],
    },
    projects: [
      { test: { ...common, name: 'unit', include: ['{host,container,shared}/**/*.test.ts'] } },
      {
        test: {
          ...common,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          ...common,
          name: 'docker',
          include: ['test/docker/**/*.test.ts'],
          globalSetup: ['test/docker/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
