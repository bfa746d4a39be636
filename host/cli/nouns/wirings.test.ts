import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandLine } from '../../../test/fakes/command-line.js';
import { daemonWords } from '../../../test/fakes/daemon-words.js';

interface Verdict {
  readonly agentGroup: string;
  readonly verdict: string;
  readonly reason: string | null;
}

describe('berth wirings', () => {
  let cli: CommandLine;

  beforeEach(async () => {
    cli = new CommandLine();
    await cli.run('agent-groups', 'create', 'Helper');
  });

  afterEach(() => {
    cli[Symbol.dispose]();
  });

  it('wires a chat to an agent group with the defaults, and records a chat that is not known', async () => {
    expect(await cli.json('wirings', 'create', 'terminal:team', 'helper')).toMatchObject({
      triggerRules: null,
      responseScope: 'all',
      sessionMode: 'shared',
      priority: 0,
    });
    expect(await cli.json('messaging-groups', 'list')).toMatchObject([
      { channelType: 'terminal', platformId: 'team', wirings: 1 },
    ]);
  });

  it('takes the rules as flags or as JSON', async () => {
    const flags = await cli.json(
      ...['wirings', 'create', 'terminal:a', 'helper', '--mode', 'pattern', '--pattern', '^hey'],
      ...['--ignored', 'accumulate', '--scope', 'allowlisted', '--session-mode', 'per-thread'],
      ...['--priority', '-3'],
    );
    expect(flags).toMatchObject({
      triggerRules: { mode: 'pattern', pattern: '^hey', ignored: 'accumulate' },
      responseScope: 'allowlisted',
      sessionMode: 'per-thread',
      priority: -3,
    });
    const json = await cli.json(
      ...['wirings', 'create', 'terminal:b', 'helper', '--trigger', '{"mode":"mention"}'],
    );
    expect(json).toMatchObject({ triggerRules: { mode: 'mention', ignored: 'drop' } });
  });

  it('says which agents would take a message, and why, and sends nothing', async () => {
    await cli.run('agent-groups', 'create', 'Our Cook', '--folder', 'cook');
    await cli.run('messaging-groups', 'create', 'terminal:team', '--group');
    await cli.run('wirings', 'create', 'terminal:team', 'helper', '--mode', 'mention');
    const pattern = ['--mode', 'pattern', '--pattern', 'soup', '--ignored', 'accumulate'];
    await cli.run('wirings', 'create', 'terminal:team', 'cook', ...pattern);
    const test = async (...args: string[]): Promise<unknown> =>
      (await cli.json<Verdict[]>('wirings', 'test', 'terminal:team', ...args))
        .map(({ agentGroup, verdict, reason }) => `${agentGroup} ${verdict} ${reason ?? ''}`.trim())
        .sort();
    expect(await test('hi')).toEqual([
      'cook context does not match the pattern',
      'helper refused not mentioned',
    ]);
    expect(await test('@helper: soup?')).toEqual(['cook engaged', 'helper engaged']);
    expect(await test('@cook hi')).toEqual([
      'cook context does not match the pattern',
      'helper refused not mentioned',
    ]);
    expect(await test('hi', '--mention')).toContain('helper engaged');
    expect((await cli.run('wirings', 'test', 'terminal:team', '@helper hi')).stdout).toContain(
      'answer',
    );
    expect(await cli.json('sessions', 'list')).toEqual([]);
    expect((await cli.failure('wirings', 'test', 'terminal:nowhere', 'hi')).code).toBe('not_found');
  });

  it.each([
    ['a pattern that is not RE2', ['--pattern', '('], 'not RE2 syntax'],
    ['a look-ahead, which RE2 does not have', ['--pattern', '(?=a)'], 'not RE2 syntax'],
    ['mode pattern without one', ['--mode', 'pattern'], 'needs a pattern'],
    ['a pattern with another mode', ['--mode', 'mention', '--pattern', 'a'], 'needs mode'],
    ['rules that are no JSON', ['--trigger', 'always'], 'not JSON'],
    ['rules with an unknown mode', ['--trigger', '{"mode":"never"}'], 'cannot be used'],
    ['rules with an unknown key', ['--trigger', '{"mode":"always","x":1}'], 'cannot be used'],
  ])('refuses %s and writes nothing', async (_what, rules, why) => {
    const failure = await cli.failure('wirings', 'create', 'terminal:a', 'helper', ...rules);
    expect(failure.code).toBe('invalid_input');
    expect(failure.message).toContain(why);
    expect(await cli.json('wirings', 'list')).toEqual([]);
    expect(await cli.json('messaging-groups', 'list')).toEqual([]);
  });

  it.each([
    ['--mode', 'never'],
    ['--scope', 'none'],
    ['--session-mode', 'x'],
    ['--priority', 'p'],
  ])('calls %s %s wrong usage', async (...flags) => {
    const { exitCode } = await cli.run('wirings', 'create', 'terminal:a', 'helper', ...flags);
    expect(exitCode).toBe(2);
  });

  it('does not take rules as JSON and as flags at once', async () => {
    const { exitCode, stderr } = await cli.run(
      ...['wirings', 'create', 'terminal:a', 'helper', '--trigger', '{}', '--mode', 'always'],
    );
    expect(exitCode).toBe(2);
    expect(stderr).toContain('cannot be used with');
  });

  it('refuses an unknown agent group and a pair that is wired', async () => {
    expect((await cli.failure('wirings', 'create', 'terminal:a', 'nobody')).code).toBe('not_found');
    await cli.run('wirings', 'create', 'terminal:a', 'helper');
    const twice = await cli.failure('wirings', 'create', 'terminal:a', 'helper');
    expect(twice.code).toBe('already_exists');
  });

  describe('update', () => {
    async function wire(...rules: string[]): Promise<string> {
      const wiring = await cli.json<{ id: string }>(
        ...['wirings', 'create', 'terminal:a', 'helper', ...rules],
      );
      return wiring.id;
    }

    it('changes what is named and leaves the rest', async () => {
      const id = await wire('--pattern', '^hey', '--ignored', 'accumulate', '--priority', '5');
      expect(await cli.json('wirings', 'update', id, '--pattern', '^ho')).toMatchObject({
        triggerRules: { mode: 'pattern', pattern: '^ho', ignored: 'accumulate' },
        priority: 5,
      });
      expect(await cli.json('wirings', 'update', id, '--ignored', 'drop')).toMatchObject({
        triggerRules: { mode: 'pattern', pattern: '^ho', ignored: 'drop' },
      });
      expect(await cli.json('wirings', 'update', id, '--scope', 'triggered')).toMatchObject({
        triggerRules: { mode: 'pattern', pattern: '^ho' },
        responseScope: 'triggered',
      });
    });

    it('forgets the pattern when the mode is another one', async () => {
      const id = await wire('--pattern', '^hey');
      expect(await cli.json('wirings', 'update', id, '--mode', 'mention')).toMatchObject({
        triggerRules: { mode: 'mention', ignored: 'drop' },
      });
    });

    it('repairs rules that were broken by hand', async () => {
      const id = await wire();
      cli.store((store) => {
        store.wirings.update({ ...store.wirings.find(id)!, triggerRules: 'broken' });
      });
      expect((await cli.run('wirings', 'list')).stdout).toContain('"broken"');
      expect((await cli.failure('wirings', 'update', id, '--ignored', 'drop')).code).toBe(
        'invalid_input',
      );
      expect(await cli.json('wirings', 'update', id, '--mode', 'always')).toMatchObject({
        triggerRules: { mode: 'always' },
      });
    });
  });

  it('lists them readably at 80 columns, ids whole', async () => {
    cli.columns = 80;
    const { id } = await cli.json<{ id: string }>(
      ...['wirings', 'create', 'terminal:a-chat-with-quite-a-long-name', 'helper'],
      ...['--pattern', '^(hey|hello|good morning) +berth', '--scope', 'allowlisted'],
    );
    const lines = (await cli.run('wirings', 'list')).stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(lines[1]).toContain(id);
    expect(lines[1]).toContain('…');
  });

  it('deletes one', async () => {
    const { id } = await cli.json<{ id: string }>('wirings', 'create', 'terminal:a', 'helper');
    expect(await cli.json('wirings', 'delete', id.slice(0, -1))).toEqual({
      deleted: id,
      tasks: [],
    });
    expect(await cli.json('wirings', 'list')).toEqual([]);
  });

  it('says how a chat is written, and which channels there are', async () => {
    expect((await cli.failure('wirings', 'create', 'nope', 'helper')).next).toContain('channel:id');
    cli.store((store) => {
      store.daemonState.write(daemonWords, daemonWords.startedAt);
    });
    const { stderr } = await cli.run('wirings', 'create', 'foo:bar', 'helper');
    expect(stderr).toBe('There is no channel foo here; there is terminal.\n');
  });
});
