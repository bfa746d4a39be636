import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CommandLine } from '../../../test/fakes/command-line.js';
import { daemonWords } from '../../../test/fakes/daemon-words.js';
import { addSession } from '../../../test/fakes/session-files.js';

const create = ['tasks', 'create', '--chat', 'terminal:a', '--text', 'water the plants'];

/** No daemon runs: what is asked of it waits. */
describe('berth tasks', () => {
  let cli: CommandLine;

  beforeEach(async () => {
    cli = new CommandLine();
    await cli.run('messaging-groups', 'create', 'terminal:a', '--time-zone', 'Asia/Tokyo');
    await cli.run('wirings', 'create', 'terminal:a', 'main');
  });

  afterEach(() => {
    vi.unstubAllEnvs();
    cli[Symbol.dispose]();
  });

  function requests(): readonly { kind: string; payload: unknown }[] {
    return cli.store((store) =>
      store.requests
        .listPending()
        .map(({ kind, payload }) => ({ kind, payload: JSON.parse(payload) as unknown })),
    );
  }

  /** A task that is planned, and its session. */
  function addTask(id = 't-1'): string {
    const agentGroupId = cli.store((store) => store.agentGroups.list()[0]?.id ?? '');
    const sessionId = addSession(cli, { id: `s-of-${id}`, agentGroupId });
    cli.store((store) => {
      store.tasks.set({
        id,
        sessionId,
        messagingGroupId: 'mg-1',
        messageId: `${id}-1`,
        dueAt: '2030-01-31T12:00:00.000Z',
        recurrence: '0 13 * * *',
        timeZone: 'Europe/Berlin',
        text: 'water the plants\nall of them',
        createdAt: '2026-01-31T12:00:00.000Z',
      });
    });
    return sessionId;
  }

  it('asks the daemon to plan one at a local time of the chat', async () => {
    const { stdout } = await cli.run(...create, '--at', '2030-01-31 09:00');
    expect(stdout).toMatch(
      /Planned the task t-\w+: at 2030-01-31 09:00 \(Asia\/Tokyo\), in .*No daemon runs now/,
    );
    expect(requests()).toMatchObject([
      {
        kind: 'tasks.create',
        payload: {
          text: 'water the plants',
          scheduledAt: '2030-01-31T00:00:00.000Z',
          recurrence: null,
          timeZone: 'Asia/Tokyo',
        },
      },
    ]);
  });

  it('goes by the zone that the daemon said, whatever the shell’s, and keeps it with the task', async () => {
    cli.store((store) => {
      const said = { ...daemonWords, timeZone: 'America/New_York' };
      store.daemonState.write(said, said.startedAt);
    });
    await cli.run('messaging-groups', 'create', 'terminal:b');
    await cli.run('wirings', 'create', 'terminal:b', 'main');
    vi.stubEnv('TZ', 'Asia/Tokyo');
    const plan = ['tasks', 'create', '--chat', 'terminal:b', '--text', 'x', '--every', '0 9 1 1 *'];
    const planned = await cli.json<{ scheduledAt: string }>(...plan);
    expect(planned).toMatchObject({ timeZone: 'America/New_York' });
    expect(planned.scheduledAt).toMatch(/-01-01T14:00:00.000Z$/);
    const group = await cli.run('messaging-groups', 'show', 'terminal:b');
    expect(group.stdout).toContain("America/New_York (the install's)");
  });

  it.each([
    ['2030-03-31 02:30', 'does not exist in Europe/Berlin', '2030-03-31 03:30'],
    ['2030-10-27 02:30', 'comes twice in Europe/Berlin', '2030-10-27 02:30'],
  ])('says so where clocks are changed at %s', async (at, words, shown) => {
    const { stdout, stderr } = await cli.run(...create, '--at', at, '--time-zone', 'Europe/Berlin');
    expect(stderr).toContain(words);
    expect(stdout).toContain(`at ${shown} (Europe/Berlin)`);
  });

  it('shows a task of before, which names no zone, as the daemon will run it', async () => {
    addTask();
    cli.store((store) => {
      const said = { ...daemonWords, timeZone: 'America/New_York' };
      store.daemonState.write(said, said.startedAt);
      const task = store.tasks.find('t-1');
      if (task !== undefined) store.tasks.set({ ...task, timeZone: null });
    });
    vi.stubEnv('TZ', 'Asia/Tokyo');
    expect((await cli.run('tasks', 'show', 't-1')).stdout).toContain(
      '2030-01-31 07:00 (America/New_York)',
    );
  });

  it('asks for a series, beginning with its next time', async () => {
    const planned = await cli.json<{ scheduledAt: string }>(
      ...[...create, '--every', '0 9 1 1 *', '--time-zone', 'Europe/Berlin'],
    );
    expect(planned).toMatchObject({ recurrence: '0 9 1 1 *', timeZone: 'Europe/Berlin' });
    expect(planned.scheduledAt).toMatch(/-01-01T08:00:00.000Z$/);
    expect(Date.parse(planned.scheduledAt)).toBeGreaterThan(Date.now());
  });

  it.each([
    ['a schedule that is none', ['--every', 'hourly'], 'no schedule', '0 9 * * 1-5'],
    ['one that never comes', ['--every', '0 0 30 2 *'], 'never comes', 'Write'],
    ['a time that has passed', ['--at', '2020-01-01 09:00'], 'has passed', 'it is 2'],
    ['a time that is none', ['--at', 'soon'], 'no time', '2026-01-31 09:00'],
    [
      'an unknown time zone',
      ['--at', '2030-01-01 09:00', '--time-zone', 'Mars/X'],
      'no time zone',
      'Europe',
    ],
  ])('refuses %s at once, with the next step', async (_, options, message, next) => {
    const failure = await cli.failure(...create, ...options);
    expect(failure.code).toBe('invalid_input');
    expect(failure.message).toContain(message);
    expect(failure.next).toContain(next);
    expect(requests()).toEqual([]);
  });

  it.each([[[]], [['--at', '2030-01-01 09:00', '--every', '@daily']]])(
    'wants to know when, once: %j',
    async (options) => {
      const { exitCode, stderr } = await cli.run(...create, ...options);
      expect(exitCode).toBe(2);
      expect(stderr).toContain('Say either --at or --every.');
    },
  );

  it('refuses a task without words', async () => {
    const empty = ['tasks', 'create', '--chat', 'terminal:a', '--text', '  ', '--every', '@daily'];
    expect((await cli.failure(...empty)).message).toContain('text of a task');
  });

  it('wants to know which agent where there are several, and one that is wired', async () => {
    await cli.run('agent-groups', 'create', 'helper');
    const other = [...create, '--every', '@daily', '--agent', 'helper'];
    expect((await cli.failure(...other)).message).toBe('helper is not wired to terminal:a.');
    await cli.run('wirings', 'create', 'terminal:a', 'helper');
    const unclear = await cli.failure(...create, '--every', '@daily');
    expect(unclear.next).toMatch(/--agent: .*helper/);
    expect((await cli.run(...other)).exitCode).toBe(0);
    await cli.run('messaging-groups', 'create', 'terminal:b');
    const lonely = [...create, '--chat', 'terminal:b', '--every', '@daily'];
    expect((await cli.failure(...lonely)).message).toBe('No agent is wired to terminal:b.');
  });

  it('lists what is planned, in the time zone of each', async () => {
    expect((await cli.run('tasks', 'list')).stdout).toContain('Nothing is planned.');
    addTask();
    expect(await cli.json('tasks', 'list')).toMatchObject([
      { id: 't-1', chat: 'terminal:local', zone: 'Europe/Berlin', recurrence: '0 13 * * *' },
    ]);
    const { stdout } = await cli.run('tasks', 'list');
    expect(stdout).toMatch(
      /t-1 +2030-01-31 13:00 +in .* 0 13 \* \* \* +Europe\/Berlin +terminal:local: water/,
    );
  });

  it('lists them at 80 columns with their times, schedules and time zones whole', async () => {
    cli.columns = 80;
    addTask('t-mwt5l0q59bb0c51583');
    const lines = (await cli.run('tasks', 'list')).stdout.trimEnd().split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(lines[1]).toMatch(/2030-01-31 13:00 +in \S+ \S+ +0 13 \* \* \* +Europe\/Berlin$/);
    expect(lines[2]).toBe('  terminal:local: water the plants ⏎ all of them');
  });

  it('says so where no channel is there to bring the answer', async () => {
    cli.store((store) => {
      store.daemonState.write(daemonWords, daemonWords.startedAt);
    });
    expect((await cli.run(...create, '--every', '@daily')).stderr).toBe('');
    await cli.run('wirings', 'create', 'foo:bar', 'main');
    const { stderr, exitCode } = await cli.run(...create, '--chat', 'foo:bar', '--every', '@daily');
    expect(stderr).toBe('There is no channel foo here; there is terminal.\n');
    expect(exitCode).toBe(0);
  });

  it('shows one with its whole text', async () => {
    const session = addTask();
    const { stdout } = await cli.run('tasks', 'show', 't-1');
    expect(stdout).toMatch(/text +water the plants ⏎ all of them/);
    expect(stdout).toContain(session);
    expect((await cli.failure('tasks', 'show', 't-9')).code).toBe('not_found');
  });

  it('asks the daemon to cancel one', async () => {
    addTask();
    const { stdout } = await cli.run('tasks', 'cancel', 't-1');
    expect(stdout).toContain('Cancelled the task t-1.');
    expect(requests()).toEqual([{ kind: 'tasks.cancel', payload: { id: 't-1' } }]);
    expect((await cli.failure('tasks', 'cancel', 't-9')).code).toBe('not_found');
  });

  it('asks the daemon to pause one, to let it go on and to run it now', async () => {
    addTask();
    expect((await cli.run('tasks', 'pause', 't-1')).stdout).toContain('Paused the task t-1;');
    expect((await cli.run('tasks', 'resume', 't-1')).stdout).toContain('Resumed the task t-1.');
    expect((await cli.run('tasks', 'run', 't-1')).stdout).toContain('runs now, besides its plan.');
    expect(requests()).toMatchObject([
      { kind: 'tasks.pause', payload: { id: 't-1' } },
      { kind: 'tasks.resume', payload: { id: 't-1' } },
      { kind: 'tasks.run', payload: { id: 't-1', at: expect.any(String) as string } },
    ]);
  });

  it('says of one that it is paused', async () => {
    addTask();
    cli.store((store) => {
      store.tasks.setPaused('t-1', '2026-01-31T12:00:00.000Z');
    });
    expect((await cli.run('tasks', 'list')).stdout).toContain('paused');
    expect((await cli.run('tasks', 'show', 't-1')).stdout).toMatch(/next +when it is resumed/);
  });

  it('shows what is planned with its session, and ends it there', async () => {
    const session = addTask();
    cli.store((store) => {
      for (const kind of ['idle', 'wake', 'stuck'] as const) {
        const dueAt = '2030-01-31T12:00:00.000Z';
        store.dueItems.set({ sessionId: session, kind, dueAt, attempts: 0 });
      }
    });
    expect(await cli.json('sessions', 'show', session)).toMatchObject({ tasks: [{ id: 't-1' }] });
    const { stdout } = await cli.run('sessions', 'show', session);
    for (const kind of ['idle', 'wake', 'stuck', 'prune']) expect(stdout).toContain(`due: ${kind}`);
    expect(stdout).toMatch(/due: wake +2030-01-31T12:00:00.000Z: messages wait for the agent/);
    expect(stdout).toMatch(/Tasks\n.*\n.*0 13 \* \* \* +t-1 +water/);
    const closed = await cli.run('sessions', 'close', session);
    expect(closed.stdout).toContain('A planned task ends with it.');
    expect(closed.stdout).not.toContain('Messages waited');
    expect(await cli.json('tasks', 'list')).toEqual([]);
  });
});
