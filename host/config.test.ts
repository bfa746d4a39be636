import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { programVersion, resolveConfig, type SettingFlags } from './config.js';

describe('the settings', () => {
  let home: string;

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'berth-config-'));
  });

  afterEach(() => {
    rmSync(home, { recursive: true, force: true });
  });

  function sourceOf(name: string, flags: SettingFlags, env: Record<string, string>): object {
    const { settings } = resolveConfig(flags, { BERTH_HOME: home, ...env });
    const { value, source } = settings.find((setting) => setting.name === name)!;
    return { value, source };
  }

  it('come from the flag, else the environment, else .env, else the default', () => {
    const env = { BERTH_LOG_LEVEL: 'warn' };
    const flags = { BERTH_LOG_LEVEL: 'error' };
    const level = 'BERTH_LOG_LEVEL';
    expect(sourceOf(level, {}, {})).toEqual({ value: 'info', source: 'default' });
    writeFileSync(join(home, '.env'), 'BERTH_LOG_LEVEL=debug\n');
    expect(sourceOf(level, {}, {})).toEqual({ value: 'debug', source: '.env' });
    expect(sourceOf(level, {}, env)).toEqual({ value: 'warn', source: 'environment' });
    expect(sourceOf(level, flags, env)).toEqual({ value: 'error', source: 'flag' });
  });

  it('count as not set where they are empty', () => {
    const env = { BERTH_RUNTIME: '' };
    expect(sourceOf('BERTH_RUNTIME', {}, env)).toEqual({ value: 'auto', source: 'default' });
  });

  it('are frozen, and everything of an install lies below its home', () => {
    const { config } = resolveConfig({ BERTH_HOME: home }, {});
    expect(Object.isFrozen(config)).toBe(true);
    for (const path of Object.values<string>({ ...config.paths })) {
      expect(path.startsWith(home)).toBe(true);
    }
  });

  it.each([
    ['BERTH_RUNTIME', 'vm'],
    ['BERTH_LOG_LEVEL', 'loud'],
    ['BERTH_STOP_TIMEOUT_MS', 'soon'],
    ['BERTH_POLL_INTERVAL_MS', '0'],
  ])('name the one that cannot be used: %s=%s', (name, value) => {
    expect(() => resolveConfig({}, { BERTH_HOME: home, [name]: value })).toThrow(
      new RegExp(`^${name} \\(environment\\) cannot be used: `),
    );
  });

  it('say so where .env cannot be read', () => {
    mkdirSync(join(home, '.env'));
    expect(() => resolveConfig({ BERTH_HOME: home }, {})).toThrow(/\.env cannot be read/);
  });
});

it('knows the version of the program', () => {
  expect(programVersion()).toMatch(/^\d+\.\d+\.\d+/);
});
