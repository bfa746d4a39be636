import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../shared/base/logger.js';
import { commitMarkPath, heartbeatPath, outboundDbPath } from '../../shared/protocol/workspace.js';
import { FakeRunner } from '../../test/fakes/fake-runner.js';
import { TempHome } from '../../test/fakes/temp-home.js';
import { OutboundWatcher } from './outbound-watcher.js';
import { settled, until } from '../../test/fakes/waiting.js';

const untilTheTestIsOver = 600_000;

describe('the watch on what containers write', () => {
  let home: TempHome;
  let watcher: OutboundWatcher;
  const changed: string[] = [];
  const logged: string[] = [];

  beforeEach(() => {
    home = new TempHome();
    changed.length = 0;
    logged.length = 0;
  });

  afterEach(async () => {
    await watcher.stop();
    home[Symbol.dispose]();
  });

  function watchWith(pollIntervalMs: number, settlingMs = 0): void {
    watcher = new OutboundWatcher({
      outDir: (sessionId) => home.folders.outDir(sessionId),
      viewDir: (sessionId) => home.folders.viewDir(sessionId),
      pollIntervalMs,
      settlingMs,
      log: createLogger('warn', { write: (line) => logged.push(line) }),
      nudges: {
        delivery: (sessionId) => {
          changed.push(sessionId);
        },
      },
    });
    watcher.start();
  }

  async function untilChanged(sessionId: string): Promise<void> {
    await until(() => {
      expect(changed).toContain(sessionId);
    });
  }

  /** Resolves when events of the session arrive. */
  async function untilWatched(sessionId: string): Promise<void> {
    home.runnerOf(sessionId).say(home.newId('o'));
    await untilChanged(sessionId);
    await quiet();
    await until(() => {
      // An event, and nothing that a poll would find.
      chmodSync(commitMarkPath(home.folders.outDir(sessionId)), 0o644);
      expect(changed).toContain(sessionId);
    });
    await quiet();
  }

  /** Resolves when no more hints come. */
  async function quiet(): Promise<void> {
    await until(async () => {
      const count = changed.length;
      changed.length = 0;
      // The events that the kernel has queued come with the next turns.
      await settled();
      expect(count + changed.length).toBe(0);
    });
  }

  it('polls until a new watch is in place for certain', async () => {
    watchWith(untilTheTestIsOver, untilTheTestIsOver);
    watcher.add('s-1');
    home.runnerOf('s-1').say('o-1');
    await untilChanged('s-1');
  });

  it('sees by event what another process commits, in its own session only', async () => {
    watchWith(untilTheTestIsOver);
    for (const id of ['s-1', 's-2']) {
      home.runnerOf(id);
      watcher.add(id);
      watcher.add(id);
      await untilWatched(id);
    }
    const outDir = home.folders.outDir('s-1');
    const script = `const Database = require('better-sqlite3');
      const db = new Database(${JSON.stringify(outboundDbPath(outDir))});
      db.exec("INSERT INTO session_state VALUES ('a', 'b', 'c')");
      require('fs').utimesSync(${JSON.stringify(commitMarkPath(outDir))}, 1, 1);`;
    await execa(process.execPath, ['-e', script]);
    await untilChanged('s-1');
    expect(changed).not.toContain('s-2');
  });

  it('is not woken by a heartbeat, by other files, nor by a claim', async () => {
    watchWith(untilTheTestIsOver);
    const runner = home.runnerOf('s-1');
    watcher.add('s-1');
    await untilWatched('s-1');
    const outDir = home.folders.outDir('s-1');
    writeFileSync(heartbeatPath(outDir), '');
    mkdirSync(join(outDir, 'outbox', 'o-1'), { recursive: true });
    writeFileSync(join(outDir, 'outbox', 'o-1', 'file'), 'x');
    rmSync(heartbeatPath(outDir));
    for (let round = 1; round <= 20; round += 1) {
      runner.claim(`m-${round}`);
      await settled();
    }
    // A last poll from before the watch was in place, at the most.
    expect(changed.length).toBeLessThanOrEqual(1);
    changed.length = 0;
    runner.say('o-last');
    await untilChanged('s-1');
  });

  it('is told of each commit once', async () => {
    watchWith(untilTheTestIsOver);
    const runner = home.runnerOf('s-1');
    watcher.add('s-1');
    await untilWatched('s-1');
    for (let round = 1; round <= 20; round += 1) {
      runner.say(`said-${round}`);
      await until(() => {
        expect(changed.length).toBeGreaterThanOrEqual(round);
      });
    }
    await settled();
    // A last poll from before the watch was in place, at the most.
    expect(changed.length).toBeLessThanOrEqual(21);
  });

  it('polls for what a runner commits that marks nothing, though it has a mark', async () => {
    watchWith(untilTheTestIsOver);
    home.runnerOf('s-1').say('o-1');
    const runner = new FakeRunner(home.folders.outDir('s-1'), home.clock, { marks: false });
    utimesSync(commitMarkPath(home.folders.outDir('s-1')), 1, 1);
    watcher.add('s-1');
    await untilChanged('s-1');
    for (let round = 2; round < 5; round += 1) {
      changed.length = 0;
      runner.say(`o-${round}`);
      await untilChanged('s-1');
    }
  });

  it('polls for what a runner commits that makes no mark', async () => {
    watchWith(untilTheTestIsOver);
    home.runnerOf('s-1');
    const runner = new FakeRunner(home.folders.outDir('s-1'), home.clock, { marks: false });
    watcher.add('s-1');
    await untilChanged('s-1');
    changed.length = 0;
    runner.say('o-1');
    await untilChanged('s-1');
  });

  it.each<[string, (mark: string) => void]>([
    ['is gone', () => undefined],
    [
      'is a link to a file',
      (mark) => {
        symlinkSync(outboundDbPath(join(mark, '..')), mark);
      },
    ],
    [
      'is a link to a device that blocks',
      (mark) => {
        symlinkSync('/dev/tty', mark);
      },
    ],
    [
      'is a link to nothing',
      (mark) => {
        symlinkSync('nothing', mark);
      },
    ],
    [
      'is a pipe',
      (mark) => {
        execFileSync('mkfifo', [mark]);
      },
    ],
    [
      'is a folder',
      (mark) => {
        mkdirSync(mark);
      },
    ],
    [
      'is the database',
      (mark) => {
        linkSync(outboundDbPath(join(mark, '..')), mark);
      },
    ],
  ])('polls while the mark %s, and gets events again when it is back', async (_what, put) => {
    watchWith(untilTheTestIsOver);
    const runner = home.runnerOf('s-1');
    const outDir = home.folders.outDir('s-1');
    const mark = commitMarkPath(outDir);
    const silent = new FakeRunner(outDir, home.clock, { marks: false });
    watcher.add('s-1');
    await untilWatched('s-1');
    rmSync(mark);
    put(mark);
    changed.length = 0;
    silent.say('o-1');
    await untilChanged('s-1');
    rmSync(mark, { force: true, recursive: true });
    runner.say('o-2');
    const viewDir = home.folders.viewDir('s-1');
    await until(() => {
      expect(lstatSync(join(viewDir, 'committed')).ino).toBe(lstatSync(mark).ino);
    });
    expect(readdirSync(viewDir)).toEqual(['committed']);
    await untilWatched('s-1');
  });

  it('bears a mark that is exchanged at a high rate', async () => {
    watchWith(untilTheTestIsOver);
    for (const id of ['s-1', 's-2']) {
      home.runnerOf(id);
      watcher.add(id);
      await untilWatched(id);
    }
    const mark = commitMarkPath(home.folders.outDir('s-1'));
    const script = `const fs = require('fs'), path = ${JSON.stringify(mark)}, other = path + '-other';
      fs.symlinkSync('/dev/tty', other);
      console.log('go');
      for (;;) { fs.renameSync(path, path + '-1'); fs.renameSync(other, path); fs.renameSync(path + '-1', other); }`;
    await using flood = new Flood(script);
    await flood.begun;
    for (let round = 0; round < 20; round += 1) {
      changed.length = 0;
      home.runnerOf('s-2').say(`o-${round}`);
      await untilChanged('s-2');
    }
    const view = lstatSync(join(home.folders.viewDir('s-1'), 'committed'));
    expect(view.isFile()).toBe(true);
    await flood.end();
    rmSync(mark, { force: true });
    changed.length = 0;
    home.runnerOf('s-1').say('o-last');
    await untilChanged('s-1');
  });

  it('sees by polling what no event has told', async () => {
    watchWith(10);
    home.runnerOf('s-1');
    watcher.add('s-1');
    await untilWatched('s-1');
    // Another folder under the same name: the events of the old one are all that is watched.
    const outDir = home.folders.outDir('s-1');
    renameSync(outDir, `${outDir}-old`);
    home.runnerOf('s-1');
    await quiet();
    home.runnerOf('s-1').say('o-1');
    await untilChanged('s-1');
  });

  it('sees what is there already when the watch begins', async () => {
    watchWith(10);
    home.runnerOf('s-1').say('o-1');
    watcher.add('s-1');
    await untilChanged('s-1');
  });

  it('bears a folder that is not there, and sees it when it comes', async () => {
    watchWith(10);
    watcher.add('s-1');
    await quiet();
    home.runnerOf('s-1').say('o-1');
    await untilChanged('s-1');
  });

  it('keeps the thread free when a folder makes more events than can be taken', async () => {
    watchWith(untilTheTestIsOver);
    for (const id of ['s-1', 's-2']) {
      home.runnerOf(id);
      watcher.add(id);
      await untilWatched(id);
    }
    const mark = commitMarkPath(home.folders.outDir('s-1'));
    // Of each kind in turn: equal events that follow one another are one.
    const script = `const fs = require('fs'), path = ${JSON.stringify(mark)};
      console.log('go');
      for (;;) { fs.writeFileSync(path, 'x'); fs.utimesSync(path, 1, 1); }`;
    await using flood = new Flood(script);
    await flood.begun;
    const beganAt = performance.now();
    for (let round = 0; round < 20; round += 1) {
      changed.length = 0;
      home.runnerOf('s-2').say(`o-${round}`);
      await untilChanged('s-2');
    }
    expect(performance.now() - beganAt).toBeLessThan(5_000);
    await until(() => {
      expect(logged).toContainEqual(expect.stringContaining('too many file events'));
    });
    await flood.end();
    changed.length = 0;
    home.runnerOf('s-1').say('o-last');
    await untilChanged('s-1');
  });

  it('takes no fast conversation for a flood', async () => {
    watchWith(untilTheTestIsOver);
    const runner = home.runnerOf('s-1');
    watcher.add('s-1');
    await untilWatched('s-1');
    for (let round = 0; round < 250; round += 1) {
      runner.say(`o-${round}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await quiet();
    expect(logged).toEqual([]);
  });

  it('sees nothing of a session that is not watched any more', async () => {
    watchWith(10);
    home.runnerOf('s-1');
    home.runnerOf('s-2');
    for (const id of ['s-1', 's-2']) {
      watcher.add(id);
      await untilWatched(id);
    }
    watcher.remove('s-1');
    watcher.remove('s-unknown');
    home.runnerOf('s-1').say('o-1');
    home.runnerOf('s-2').say('o-2');
    await untilChanged('s-2');
    expect(changed).not.toContain('s-1');
  });

  it('sees by event again a session whose next container has started', async () => {
    watchWith(untilTheTestIsOver);
    home.runnerOf('s-1');
    for (let starts = 0; starts < 3; starts += 1) {
      watcher.add('s-1');
      await untilWatched('s-1');
      watcher.remove('s-1');
    }
  });
});

/** A process that goes on until it is ended. */
class Flood implements AsyncDisposable {
  readonly #child;
  readonly begun: Promise<unknown>;

  constructor(script: string) {
    this.#child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    this.begun = once(this.#child.stdout, 'data');
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}
