/** Where a home lies, and what becomes of one that is moved, copied or restored. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BerthHome, ElsewhereHome, mainScript, type CommandResult } from '../fakes/berth-home.js';

const root = join(dirname(mainScript), '..', '..');

describe('a program that was just cloned and built', () => {
  let folder: string;
  let program: string;
  let user: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-clone-'));
    program = makeProgram(join(folder, 'program'));
    user = join(folder, 'user');
    mkdirSync(user);
  });

  afterEach(async () => {
    await berth(['stop']);
    rmSync(folder, { recursive: true, force: true });
  });

  /** Copies what a build leaves, without what it takes. */
  function makeProgram(target: string): string {
    mkdirSync(target, { recursive: true });
    for (const name of ['dist', 'groups', 'migrations', 'package.json']) {
      cpSync(join(root, name), join(target, name), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(target, 'node_modules'));
    return target;
  }

  async function berth(
    args: readonly string[],
    more: { readonly env?: Record<string, string>; readonly program?: string } = {},
  ): Promise<CommandResult> {
    const script = join(more.program ?? program, 'dist', 'host', 'main.js');
    const { exitCode, stdout, stderr } = await execa(process.execPath, [script, ...args], {
      reject: false,
      extendEnv: false,
      stdin: 'ignore',
      timeout: 60_000,
      cwd: folder,
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: user,
        BERTH_RUNTIME: 'process',
        ...more.env,
      },
    });
    return { exitCode, stdout, stderr };
  }

  const listProgram = (): readonly string[] => readdirSync(program).sort();

  it('lays its data into the user’s folder, and nothing into its own', async () => {
    const before = listProgram();
    const { stdout, exitCode } = await berth(['chat', 'hello']);
    expect({ stdout, exitCode }).toEqual({ stdout: 'echo: hello', exitCode: 0 });
    expect(listProgram()).toEqual(before);
    expect(readdirSync(user)).toEqual(['.berth']);
    expect(readdirSync(join(user, '.berth')).sort()).toEqual(['data', 'groups']);
    const status = await berth(['status']);
    expect(status.stdout.split('\n')[0]).toMatch(/^home +\S+\/user\/\.berth$/);
  });

  it('goes on with the data in its own folder, and says so at the start and in status', async () => {
    mkdirSync(join(program, 'data'));
    const started = await berth(['start', '--detach']);
    expect(started.stderr).toContain(`The home is ${program}, the program's own folder`);
    expect(existsSync(join(program, 'data', 'central.db'))).toBe(true);
    expect(readdirSync(user)).toEqual([]);
    const { stdout } = await berth(['status']);
    expect(stdout).toContain("the program's own folder");
    expect(stdout.split('\n')[0]).toContain(program);
  });

  it('takes the settings of the .env that lay in its folder to the daemon, too', async () => {
    writeFileSync(join(program, '.env'), 'BERTH_LOG_LEVEL=error\n');
    const started = await berth(['start', '--detach']);
    expect(started.stderr).toContain('they belong into');
    // Nothing went wrong, so that nothing was logged.
    expect(readdirSync(join(user, '.berth', 'data', 'logs'))).not.toContain('daemon.log');
  });

  it('refuses to begin below node_modules, where the next installation takes everything away', async () => {
    const home = join(folder, 'lib', 'node_modules', 'berth');
    const env = { BERTH_HOME: home };
    for (const args of [
      ['start', '--detach'],
      ['chat', 'hi'],
      ['agent-groups', 'create', 'X'],
    ]) {
      const { exitCode, stderr } = await berth(args, { env });
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(/BERTH_HOME \(environment\) cannot be used: .*node_modules/);
      expect(stderr).toContain('--home or BERTH_HOME');
    }
    expect(existsSync(home)).toBe(false);
    expect((await berth(['status'], { env })).stdout).toContain('not running');
  });

  it('installed below node_modules lays nothing there', async () => {
    const installed = makeProgram(join(folder, 'lib', 'node_modules', 'berth'));
    const { stdout } = await berth(['chat', 'hello'], { program: installed });
    expect(stdout).toBe('echo: hello');
    expect(readdirSync(installed)).not.toContain('data');
    expect(readdirSync(user)).toEqual(['.berth']);
  });

  it('says in a sentence what to do where no home can be told', async () => {
    const { exitCode, stderr } = await berth(['status'], { env: { HOME: 'relative' } });
    expect(exitCode).toBe(1);
    expect(stderr.split('\n')).toEqual([
      'BERTH_HOME (default) cannot be used: HOME (relative) is no absolute path: nobody can tell where data/ and groups/ are to lie.',
      'Set BERTH_HOME or HOME to the absolute path of a folder, or name one with --home.',
    ]);
    const config = await berth(['config'], { env: { HOME: 'relative' } });
    expect(config.stdout).toContain('BERTH_HOME');
    expect(config.stdout).toContain('CANNOT BE USED');
  });

  it('says so where the daemon of its home is another program’s', async () => {
    await berth(['start', '--detach']);
    const other = makeProgram(join(folder, 'other'));
    const words = `The daemon of this home runs from ${program}`;
    expect((await berth(['status'], { program: other })).stdout).toContain(words);
    expect((await berth(['start', '--detach'], { program: other })).stderr).toContain(words);
    expect((await berth(['start'], { program: other })).stderr).toContain(words);
    const chat = await berth(['chat', 'hello'], { program: other });
    expect(chat.stdout).toBe('echo: hello');
    expect(chat.stderr).toContain(words);
    expect((await berth(['status'])).stdout).not.toContain('runs from');
  });

  it('does not write over the groups that it shipped before, and tells what it ships now', async () => {
    await berth(['start', '--detach']);
    await berth(['stop']);
    const mine = join(user, '.berth', 'groups', 'main', 'CLAUDE.md');
    const before = readFileSync(mine, 'utf8');
    writeFileSync(join(program, 'groups', 'main', 'CLAUDE.md'), 'what a newer version ships');
    const started = await berth(['start', '--detach']);
    expect(started.stdout).toContain('This version ships another main/CLAUDE.md');
    expect((await berth(['status'])).stdout).toContain('yours is still as it was shipped before');
    expect(readFileSync(mine, 'utf8')).toBe(before);
    await berth(['stop']);
    writeFileSync(mine, 'mine');
    await berth(['start', '--detach']);
    expect((await berth(['status'])).stdout).not.toContain('ships another');
    expect(readFileSync(mine, 'utf8')).toBe('mine');
  });
});

describe('a home with a conversation', () => {
  /** At another place, run by the same program. */
  function at(home: BerthHome, folder: string): BerthHome {
    return new ElsewhereHome(folder, home);
  }

  function runners(home: BerthHome): readonly number[] {
    const folder = join(home.home, 'data', 'processes');
    const pids = readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => (JSON.parse(readFileSync(join(folder, name), 'utf8')) as { pid: number }).pid);
    return pids.filter((pid) => {
      try {
        process.kill(pid, 0);
        return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
      } catch {
        return false;
      }
    });
  }

  async function ask(home: BerthHome, text: string): Promise<void> {
    const { stdout, stderr } = await home.berth('chat', text);
    expect(stdout, stderr).toBe(`echo: ${text}`);
  }

  it('has one runner after the daemon was killed and the home renamed', async () => {
    await using home = new BerthHome('process');
    await ask(home, 'one');
    const [before] = runners(home);
    await home.crash();
    await using moved = at(home, `${home.home}-moved`);
    renameSync(home.home, moved.home);
    await ask(moved, 'two');
    expect(runners(moved)).toHaveLength(1);
    expect(runners(moved)).not.toContain(before);
    expect((await moved.berth('status')).stdout).toContain('was moved here from');
    await moved.berth('stop');
    expect(runners(moved)).toEqual([]);
    mkdirSync(home.home);
  });

  it('and its copy leave each other alone', async () => {
    await using home = new BerthHome('process');
    await ask(home, 'one');
    const [mine] = runners(home);
    const originalPid = await home.pid();
    await using copy = at(home, `${home.home}-copy`);
    cpSync(home.home, copy.home, {
      recursive: true,
      filter: (path) => !path.endsWith('terminal.sock'),
    });
    // A command of the copy is not one of the original.
    expect((await copy.berth('status')).stdout).toContain('not running');
    expect((await copy.berth('stop')).stdout).toContain('was not running');
    expect(await home.pid()).toBe(originalPid);
    const started = await copy.berth('start', '--detach');
    expect(started.stdout).toContain(`This home is a copy of the one at ${home.home}`);
    await ask(copy, 'two');
    expect(runners(home)).toContain(mine);
    await copy.berth('stop');
    expect(runners(home)).toContain(mine);
    await ask(home, 'three');
    expect(runners(home)).toContain(mine);
    // Said once.
    await copy.berth('start', '--detach');
    expect((await copy.berth('status')).stdout).not.toContain('is a copy');
  });

  it('that is restored from a backup goes on with its conversation', async () => {
    await using home = new BerthHome('process');
    await ask(home, 'one');
    await home.berth('stop');
    const saved = `${home.home}-saved`;
    cpSync(home.home, saved, { recursive: true });
    rmSync(home.home, { recursive: true });
    cpSync(saved, home.home, { recursive: true });
    rmSync(saved, { recursive: true });
    await home.start();
    await ask(home, 'two');
    const sessions = await home.json<{ id: string }[]>('sessions', 'list');
    expect(sessions).toHaveLength(1);
    const messages = await home.berth('sessions', 'messages', sessions[0]!.id);
    expect(messages.stdout).toContain('echo: one');
    expect(messages.stdout).toContain('echo: two');
  });
});
