import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chooseHome, findHomeProblem, type HomeFacts } from './home-choice.js';

const facts: HomeFacts = {
  flag: undefined,
  environment: { HOME: '/home/ann' },
  dotEnv: undefined,
  programRoot: '/opt/berth',
  hasProgramData: false,
  accountHome: '/accounts/ann',
};

interface Case {
  readonly title: string;
  readonly given: Partial<HomeFacts>;
  readonly home: string;
  readonly source?: string;
}

const cases: readonly Case[] = [
  { title: 'nothing is said', given: {}, home: '/home/ann/.berth' },
  {
    title: 'XDG_DATA_HOME is set',
    given: { environment: { HOME: '/home/ann', XDG_DATA_HOME: '/xdg' } },
    home: '/xdg/berth',
  },
  {
    title: 'XDG_DATA_HOME is set, and HOME is not',
    given: { environment: { XDG_DATA_HOME: '/xdg' }, accountHome: undefined },
    home: '/xdg/berth',
  },
  {
    title: 'XDG_DATA_HOME is empty',
    given: { environment: { HOME: '/home/ann', XDG_DATA_HOME: '' } },
    home: '/home/ann/.berth',
  },
  { title: 'HOME is not set', given: { environment: {} }, home: '/accounts/ann/.berth' },
  { title: 'HOME is empty', given: { environment: { HOME: '' } }, home: '/accounts/ann/.berth' },
  { title: 'HOME is the root', given: { environment: { HOME: '/' } }, home: '/.berth' },
  { title: 'the program has data', given: { hasProgramData: true }, home: '/opt/berth' },
  {
    title: 'the program has data, and no home can be told otherwise',
    given: { hasProgramData: true, environment: {}, accountHome: undefined },
    home: '/opt/berth',
  },
  {
    title: 'the program has data, and its .env names a home',
    given: { hasProgramData: true, dotEnv: '/elsewhere' },
    home: '/opt/berth',
  },
  {
    title: 'the program’s .env names a home',
    given: { dotEnv: '/elsewhere' },
    home: '/elsewhere',
    source: '.env',
  },
  {
    title: 'the program’s .env names a relative one: beside it',
    given: { dotEnv: 'mine' },
    home: '/opt/berth/mine',
    source: '.env',
  },
  {
    title: 'the environment names one, and the program has data',
    given: { environment: { BERTH_HOME: '/srv/berth' }, hasProgramData: true, dotEnv: '/no' },
    home: '/srv/berth',
    source: 'environment',
  },
  {
    title: 'a flag names one, and everything else does too',
    given: { flag: '/flag', environment: { BERTH_HOME: '/srv' }, hasProgramData: true },
    home: '/flag',
    source: 'flag',
  },
  {
    title: 'a flag names a relative one',
    given: { flag: 'here' },
    home: join(process.cwd(), 'here'),
    source: 'flag',
  },
];

describe('the choice of the home', () => {
  it.each(cases)('is right where $title', ({ given, home, source = 'default' }) => {
    expect(chooseHome({ ...facts, ...given })).toMatchObject({ home, source, problem: undefined });
  });

  it('says that a program goes on with the data in its own folder, and where a new home would be', () => {
    const { isCheckout, notes } = chooseHome({ ...facts, hasProgramData: true, dotEnv: '/x' });
    expect(isCheckout).toBe(true);
    expect(notes).toEqual([
      expect.stringMatching(/^The home is \/opt\/berth, .*data\/ already\..*\/home\/ann\/\.berth/),
      '/opt/berth/.env: BERTH_HOME is not read from there while /opt/berth/data exists.',
    ]);
    expect(chooseHome(facts)).toMatchObject({ isCheckout: false, notes: [] });
  });

  it('leaves a relative XDG_DATA_HOME alone, and says so', () => {
    const environment = { HOME: '/home/ann', XDG_DATA_HOME: 'data' };
    expect(chooseHome({ ...facts, environment })).toMatchObject({
      home: '/home/ann/.berth',
      notes: ['XDG_DATA_HOME (data) is not used: it is no absolute path.'],
    });
  });

  it.each<[string, Partial<HomeFacts>, string]>([
    ['HOME is relative', { environment: { HOME: 'ann' } }, 'HOME (ann) is no absolute path'],
    [
      'HOME is not set, and the user has no entry in passwd',
      { environment: {}, accountHome: undefined },
      'HOME is not set, and this user has no home folder',
    ],
    [
      'HOME is not set, and the entry names no absolute path',
      { environment: {}, accountHome: '' },
      'HOME is not set, and this user has no home folder',
    ],
  ])('cannot be made where %s', (_what, given, words) => {
    const { home, problem } = chooseHome({ ...facts, ...given });
    expect(home).toBeUndefined();
    expect(problem).toContain(words);
  });

  it.each([
    ['/usr/lib/node_modules/berth', '/usr/lib/node_modules'],
    ['/home/ann/x/node_modules', '/home/ann/x/node_modules'],
  ])('refuses %s, which the next installation takes away', (home, modules) => {
    for (const given of [{ flag: home }, { environment: { BERTH_HOME: home } }]) {
      expect(chooseHome({ ...facts, ...given }).problem).toContain(`lies below ${modules},`);
    }
    const installed = chooseHome({ ...facts, programRoot: home, hasProgramData: true });
    expect(installed.problem).toContain(`lies below ${modules},`);
  });

  it.each(['/home/ann/node_modules_old', '/node_modules.d/x', '/srv/berth'])('takes %s', (home) => {
    expect(findHomeProblem(home)).toBeUndefined();
  });
});
