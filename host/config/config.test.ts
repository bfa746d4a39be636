import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  resolveConfig,
  surveySettings,
  type LoadedConfig,
  type ProgramPaths,
  type SettingFlags,
  type SettingName,
} from './config.js';
import { programVersion } from './program.js';

describe('the configuration', () => {
  let home: string;

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'berth-config-'));
  });

  afterEach(() => {
    rmSync(home, { recursive: true, force: true });
  });

  function load(
    environment: Readonly<Record<string, string | undefined>> = {},
    flags: SettingFlags = {},
  ): LoadedConfig {
    return resolveConfig(flags, { BERTH_HOME: home, ...environment });
  }

  function setting(loaded: LoadedConfig, name: SettingName): readonly unknown[] {
    const found = loaded.settings.find((one) => one.name === name);
    return [found?.value, found?.source];
  }

  it('has a default for everything', () => {
    const { config, settings } = load();
    expect(config).toMatchObject({
      runtime: 'auto',
      logLevel: 'info',
      provider: 'echo',
      engineSearch: { dockerHost: undefined },
      baseImage: undefined,
      engineTimeoutMs: 10_000,
      stopTimeoutMs: 15_000,
      pollIntervalMs: 2_000,
      unisolatedProviders: [],
    });
    expect(config.executablePath).not.toBe('');
    expect(Object.isFrozen(config)).toBe(true);
    for (const { name, about } of settings) expect(about, name).not.toBe('');
  });

  it.each([':/etc/localtime', 'CST-8', 'UTC+3', '', 'Foo/Bar'])(
    'has a time zone also where TZ is %j',
    (TZ) => {
      const { config, settings } = load({ TZ });
      expect(config.timeZone).not.toBe('');
      expect(settings.filter(({ problem }) => problem !== undefined)).toEqual([]);
      expect(setting(load({ TZ }), 'BERTH_TIME_ZONE')).toEqual([config.timeZone, 'default']);
    },
  );

  it('takes flags over the environment, the environment over .env, and .env over defaults', () => {
    expect(setting(load(), 'DOCKER_HOST')).toEqual([null, 'default']);
    writeFileSync(join(home, '.env'), '# mine\nDOCKER_HOST="from file"\nBERTH_LOG_LEVEL=warn\n');
    expect(setting(load(), 'DOCKER_HOST')).toEqual(['from file', '.env']);
    const environment = { DOCKER_HOST: 'from environment' };
    expect(setting(load(environment), 'DOCKER_HOST')).toEqual(['from environment', 'environment']);
    const loaded = load(environment, { DOCKER_HOST: 'from flag' });
    expect(setting(loaded, 'DOCKER_HOST')).toEqual(['from flag', 'flag']);
    expect(loaded.config.engineSearch.dockerHost).toBe('from flag');
    expect(loaded.config.logLevel).toBe('warn');
  });

  it.each<[SettingName, string, string]>([
    ['BERTH_STOP_TIMEOUT_MS', 'soon', 'must be a number'],
    ['BERTH_STOP_TIMEOUT_MS', '0', 'must be at least 1'],
    ['BERTH_RUNTIME', 'vm', 'must be auto, docker or process'],
    ['BERTH_PROVIDER', 'ehco', 'there is no such provider; there is echo'],
  ])('says in plain words why %s=%s cannot be used', (name, value, words) => {
    expect(() => load({ [name]: value })).toThrow(
      `${name} (environment) cannot be used: ${words}.`,
    );
    const { settings } = surveySettings({ BERTH_HOME: home, [name]: value });
    expect(settings.find((one) => one.name === name)).toMatchObject({ value, problem: words });
    expect(settings.filter(({ problem }) => problem !== undefined)).toHaveLength(1);
  });

  it('tells what .env has that nobody reads', () => {
    const path = join(home, '.env');
    writeFileSync(path, 'BERTH_RUNTIM=process\nBERTH_LOG_LEVEL warn\nBERTH_HOME=/x\nOTHER=1\n');
    expect(load().notes).toEqual([
      `${path}: BERTH_HOME is not read from there; set it in the environment.`,
      `${path}: there is no setting BERTH_RUNTIM; see \`berth config\`.`,
      `${path}: line 2 is no setting; write it like NAME=value.`,
    ]);
    writeFileSync(path, 'BERTH_RUNTIME=process\n');
    expect(load().notes).toEqual([]);
  });

  it('takes an empty variable for one that is not set, wherever it stands', () => {
    writeFileSync(join(home, '.env'), 'BERTH_LOG_LEVEL=\nBERTH_RUNTIME=process\n');
    const { config } = load({ BERTH_LOG_LEVEL: '', BERTH_RUNTIME: '', DOCKER_HOST: '' });
    expect(config).toMatchObject({ logLevel: 'info', runtime: 'process' });
    expect(config.engineSearch.dockerHost).toBeUndefined();
  });

  it.each<[SettingName, string]>([
    ['BERTH_RUNTIME', 'podman'],
    ['BERTH_RUNTIME', 'Docker'],
    ['BERTH_LOG_LEVEL', 'verbose'],
    ['BERTH_ENGINE_TIMEOUT_MS', '10s'],
    ['BERTH_ENGINE_TIMEOUT_MS', '0'],
    ['BERTH_STOP_TIMEOUT_MS', '-1'],
    ['BERTH_STOP_TIMEOUT_MS', '1.5'],
    ['BERTH_POLL_INTERVAL_MS', ' '],
    ['BERTH_POLL_INTERVAL_MS', 'Infinity'],
    // Longer than a timer can wait: Node would fire it at once, for ever.
    ['BERTH_POLL_INTERVAL_MS', '3000000000'],
  ])('refuses %s=%j, wherever it comes from', (name, value) => {
    const refused = expect.objectContaining({
      code: 'config_invalid',
      message: expect.stringContaining(name) as string,
      next: expect.stringContaining('berth config') as string,
    }) as Error;
    expect(() => load({ [name]: value })).toThrow(refused);
    expect(() => load({}, { [name]: value })).toThrow(refused);
    writeFileSync(join(home, '.env'), `${name}="${value}"\n`);
    expect(() => load()).toThrow(/\(\.env\)/);
  });

  it('refuses a flag that was given nothing', () => {
    for (const name of ['BERTH_HOME', 'BERTH_PROVIDER'] as const) {
      expect(() => load({}, { [name]: '' })).toThrow(
        expect.objectContaining({ code: 'config_invalid' }),
      );
    }
  });

  it('lays everything below BERTH_HOME, as an absolute path', () => {
    const { config, settings } = load({ BERTH_HOME: 'relative/home' });
    expect(config.paths.home).toBe(join(process.cwd(), 'relative/home'));
    for (const path of Object.values(config.paths) as string[]) {
      expect(path.startsWith(config.paths.home), path).toBe(true);
    }
    expect(settings.find(({ name }) => name === 'BERTH_HOME')).toMatchObject({
      value: config.paths.home,
      source: 'environment',
    });
  });

  it('names the home by flag or environment, and its own .env cannot move it', () => {
    writeFileSync(join(home, '.env'), 'BERTH_HOME=/elsewhere\n');
    const loaded = load();
    expect(setting(loaded, 'BERTH_HOME')).toEqual([home, 'environment']);
    const byFlag = resolveConfig({ BERTH_HOME: home }, { BERTH_HOME: '/elsewhere' });
    expect(byFlag.config.paths.home).toBe(home);
    expect(setting(byFlag, 'BERTH_HOME')).toEqual([home, 'flag']);
  });

  describe('where nobody names a home', () => {
    let program: ProgramPaths;
    let user: string;

    beforeEach(() => {
      user = join(home, 'user');
      const root = join(home, 'program');
      mkdirSync(user);
      mkdirSync(root);
      program = { ...load().config.program, root };
    });

    function loadDefault(environment: Readonly<Record<string, string>> = {}): LoadedConfig {
      return resolveConfig({}, { HOME: user, ...environment }, undefined, program);
    }

    it('puts it into the user’s folder, and makes nothing', () => {
      const loaded = loadDefault();
      expect(loaded.config.paths.home).toBe(join(user, '.berth'));
      expect(loaded.config.homeSource).toBe('default');
      expect(setting(loaded, 'BERTH_HOME')).toEqual([join(user, '.berth'), 'default']);
      expect(loaded.notes).toEqual([]);
      expect(readdirSync(user)).toEqual([]);
    });

    it('goes on in the program’s folder where that has data, also where it leads to a disk that is away', () => {
      for (const make of [
        () => {
          mkdirSync(join(program.root, 'data'));
        },
        () => {
          rmSync(join(program.root, 'data'), { recursive: true });
          symlinkSync('/away/data', join(program.root, 'data'));
        },
      ]) {
        make();
        const { config, notes, homeNotes } = loadDefault();
        expect(config.paths.home).toBe(program.root);
        expect(homeNotes).toEqual([expect.stringContaining('has data/ already') as string]);
        expect(notes).toEqual(homeNotes);
      }
    });

    it('reads the .env of the program’s folder too, below that of the home, and says where it belongs', () => {
      writeFileSync(join(program.root, '.env'), 'BERTH_LOG_LEVEL=warn\nBERTH_PROVIDER=echo\n');
      mkdirSync(join(user, '.berth'));
      writeFileSync(join(user, '.berth', '.env'), 'BERTH_LOG_LEVEL=error\n');
      const loaded = loadDefault();
      expect(setting(loaded, 'BERTH_LOG_LEVEL')).toEqual(['error', '.env']);
      expect(setting(loaded, 'BERTH_PROVIDER')).toEqual(['echo', '.env']);
      expect(loaded.notes).toEqual([
        `Settings of ${join(program.root, '.env')} are used; they belong into ${join(user, '.berth', '.env')}.`,
      ]);
      // As before: a home that is named reads its own .env alone.
      const named = resolveConfig({}, { BERTH_HOME: user }, undefined, program);
      expect(setting(named, 'BERTH_LOG_LEVEL')).toEqual(['info', 'default']);
    });

    it('takes it from the program’s .env, and only from there', () => {
      const elsewhere = join(home, 'elsewhere');
      mkdirSync(elsewhere);
      writeFileSync(join(program.root, '.env'), `BERTH_HOME=${elsewhere}\n`);
      writeFileSync(join(elsewhere, '.env'), 'BERTH_HOME=/nowhere\n');
      const loaded = loadDefault();
      expect(setting(loaded, 'BERTH_HOME')).toEqual([elsewhere, '.env']);
      expect(loaded.notes).toEqual([
        `${join(elsewhere, '.env')}: BERTH_HOME is not read from there; set it in the environment.`,
      ]);
    });

    it('says in one sentence what to do where there is no place for it', () => {
      expect(() => loadDefault({ HOME: 'relative' })).toThrow(
        expect.objectContaining({
          code: 'config_invalid',
          message: expect.stringMatching(
            /^BERTH_HOME \(default\) cannot be used: HOME \(relative\)/,
          ) as string,
          next: expect.stringContaining('Set BERTH_HOME or HOME') as string,
        }),
      );
    });

    it.each(['node_modules/berth', 'link'])(
      'refuses %s below node_modules, and reads it',
      (below) => {
        const modules = join(home, 'node_modules');
        mkdirSync(join(modules, 'berth', 'data'), { recursive: true });
        symlinkSync(modules, join(home, 'link'));
        const folder = join(home, below, 'home');
        expect(() => resolveConfig({}, { BERTH_HOME: folder })).toThrow(
          /lies below .*node_modules/,
        );
        const problems: unknown[] = [];
        const loaded = resolveConfig({ BERTH_HOME: folder }, {}, (error) => problems.push(error));
        expect(loaded.config.paths.home).toBe(folder);
        expect(problems).toEqual([expect.objectContaining({ code: 'config_invalid' })]);
        expect(loaded.settings[0]?.problem).toContain('lies below');
      },
    );
  });

  it('reads a list of providers, however it is spaced', () => {
    const { config } = load({ BERTH_ALLOW_UNISOLATED: 'claude, openai-compatible,,' });
    expect(config.unisolatedProviders).toEqual(['claude', 'openai-compatible']);
  });

  it.each([
    ['hold', 'hold', []],
    ['slack=hold', 'repeat', [['slack', 'hold']]],
    [
      'hold,slack=repeat,web=hold',
      'hold',
      [
        ['slack', 'repeat'],
        ['web', 'hold'],
      ],
    ],
  ])('reads what becomes of interrupted sends: %s', (text, otherwise, byChannel) => {
    const { unknownSends } = load({ BERTH_UNKNOWN_SENDS: text }).config;
    expect(unknownSends.otherwise).toBe(otherwise);
    expect([...unknownSends.byChannel]).toEqual(byChannel);
  });

  it.each(['twice', 'repeat,', 'slack', 'slack=', '=hold', 'slack=hold;web=hold'])(
    'refuses %s for interrupted sends, and says what to write',
    (text) => {
      expect(() => load({ BERTH_UNKNOWN_SENDS: text })).toThrow(/write repeat or hold/);
    },
  );

  it('says so when .env cannot be read', () => {
    mkdirSync(join(home, '.env'));
    expect(() => load()).toThrow(
      expect.objectContaining({
        code: 'config_invalid',
        message: expect.stringContaining('.env') as string,
      }),
    );
  });

  it('knows where the program’s files lie, and its version', () => {
    const { program } = load().config;
    expect(program.migrationsDir).toBe(join(program.root, 'migrations'));
    expect(programVersion()).toMatch(/^\d+\.\d+\.\d+/);
  });
});
