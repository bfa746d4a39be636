import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Session } from '../store/sessions.js';
import { BerthError } from '../../shared/base/errors.js';
import { openDatabase } from '../../shared/base/sqlite/sqlite.js';
import { inboundDbPath } from '../../shared/protocol/workspace.js';
import { ContainerSetup } from '../../test/fakes/container-setup.js';
import { settled, until } from '../../test/fakes/waiting.js';

const away = new BerthError('engine_unreachable', 'No container engine answers.');

describe('an engine that does not answer', () => {
  let setup: ContainerSetup;

  beforeEach(() => {
    setup = new ContainerSetup({ resyncIntervalMs: 10 });
  });

  afterEach(async () => {
    await setup[Symbol.asyncDispose]();
  });

  it('is reported once, tells each who waits once, and goes on by itself when it is back', async () => {
    const first = await setup.addWaitingSession();
    setup.runtime.goAway(away);
    setup.reconciler.start();
    await until(() => {
      expect(setup.notices()).toHaveLength(1);
    });
    const second = await setup.addWaitingSession();
    setup.reconciler.nudge(second.id);
    await until(() => {
      expect(setup.notices()).toHaveLength(2);
    });
    const { lists } = setup.runtime;
    await until(() => {
      expect(setup.runtime.lists).toBeGreaterThan(lists + 3);
    });
    expect(setup.notices().map((notice) => notice.in_reply_to)).toEqual([
      `m-of-${first.id}`,
      `m-of-${second.id}`,
    ]);
    expect(setup.problems).toMatchObject([{ code: 'engine_unreachable' }]);
    expect(setup.runtime.starts).toEqual([]);

    setup.runtime.goAway(undefined);
    await until(() => {
      expect(setup.containerStatus(first)).toBe('running');
      expect(setup.containerStatus(second)).toBe('running');
    });
    expect(setup.problems).toHaveLength(2);
    expect(setup.problems.at(-1)).toBeUndefined();
    expect(setup.notices()).toHaveLength(2);
  });

  it('does not open the files of all who wait at every listing', async () => {
    const session = await setup.addWaitingSession();
    setup.runtime.goAway(away);
    setup.reconciler.start();
    await until(() => {
      expect(setup.notices()).toHaveLength(1);
    });
    await settled();
    // A read of the file fails now.
    rmSync(inboundDbPath(setup.folders.inDir(session.id)));
    const { lists } = setup.runtime;
    await until(() => {
      expect(setup.runtime.lists).toBeGreaterThan(lists + 5);
    });
    expect(setup.logLines.filter((line) => line.includes('"level":"warn"'))).toEqual([]);
  });

  it('tells every chat, also while the file of one session is locked', async () => {
    const locked = await setup.addWaitingSession();
    const free = await setup.addWaitingSession();
    const path = inboundDbPath(setup.folders.inDir(locked.id));
    const lock = openDatabase(path, { mode: 'write', busyTimeoutMs: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    setup.runtime.goAway(away);
    setup.reconciler.start();
    await until(() => {
      expect(setup.notices().map((notice) => notice.in_reply_to)).toEqual([`m-of-${free.id}`]);
    });
    lock.close();
    await until(() => {
      expect(setup.notices()).toHaveLength(2);
    });
  });

  it('loses nothing that runs: it is adopted when the engine is back', async () => {
    const session = setup.addSession({ containerStatus: 'running' });
    setup.runtime.put(session.id);
    setup.runtime.goAway(away);
    setup.reconciler.start();
    await until(() => {
      expect(setup.problems).toHaveLength(1);
    });
    expect(setup.containerStatus(session)).toBe('running');
    expect(setup.ended).toEqual([]);
    setup.runtime.goAway(undefined);
    await until(() => {
      expect(setup.running).toEqual([session.id]);
    });
  });

  it('or has no room left is reported once for all who wait, and said to be well with the next start', async () => {
    const full = new BerthError('engine_failed', 'The container engine has no space left.');
    const sessions = [await setup.addWaitingSession(), await setup.addWaitingSession()];
    setup.runtime.willFail(full, full);
    setup.reconciler.start();
    await until(() => {
      expect(setup.notices()).toHaveLength(2);
    });
    expect(setup.startTroubles.every((trouble) => trouble === full)).toBe(true);
    const errors = setup.logged('container not started').filter(({ level }) => level === 'error');
    expect(errors).toHaveLength(1);
    setup.clock.advance(60_000);
    for (const { id } of sessions) setup.reconciler.nudge(id);
    await until(() => {
      expect(sessions.map((session) => setup.containerStatus(session))).toEqual([
        'running',
        'running',
      ]);
    });
    expect(setup.startTroubles.at(-1)).toBeUndefined();
    expect(setup.logged('containers can be started again')).toHaveLength(1);
  });

  it('never ends a message, however often a start fails for it', async () => {
    const session = await setup.addWaitingSession();
    setup.runtime.willFail(...Array.from({ length: 12 }, () => away));
    setup.reconciler.start();
    const waits: number[] = [];
    for (let starts = 1; starts <= 12; starts += 1) {
      await until(() => {
        expect(setup.putOffs).toBe(starts);
        expect(setup.containerStatus(session)).toBe('stopped');
      });
      await settled();
      waits.push(setup.wakesIn(session) ?? 0);
      setup.clock.advance(waits.at(-1) ?? 0);
      setup.reconciler.nudge(session.id);
    }
    expect(waits.slice(0, 7)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000]);
    expect(new Set(waits.slice(7))).toEqual(new Set([60_000]));
    await until(() => {
      expect(setup.containerStatus(session)).toBe('running');
    });
    expect(setup.messagesIn(session.id)).toMatchObject([{ status: 'pending', tries: 0 }]);
    expect(setup.notices()).toHaveLength(1);
  });
});

describe('a start that fails', () => {
  let setup: ContainerSetup;

  beforeEach(() => {
    setup = new ContainerSetup();
  });

  afterEach(async () => {
    await setup[Symbol.asyncDispose]();
  });

  it('is put off, and tried again when it is due and no sooner', async () => {
    const session = await setup.addWaitingSession();
    setup.runtime.willFail(away);
    setup.reconciler.start();
    await until(() => {
      expect(setup.putOffs).toBe(1);
    });
    setup.clock.advance(999);
    await setup.post(session, 'm-2');
    for (let nudges = 0; nudges < 3; nudges += 1) setup.reconciler.nudge(session.id);
    await settled();
    expect(setup.runtime.starts).toHaveLength(1);
    setup.clock.advance(1);
    setup.reconciler.nudge(session.id);
    await until(() => {
      expect(setup.containerStatus(session)).toBe('running');
    });
    expect(setup.runtime.starts).toHaveLength(2);
  });

  it('for a reason of the session’s own is given up after five, and told', async () => {
    const session = await setup.addWaitingSession();
    const broken = new BerthError('io_failed', 'The folder cannot be written.');
    setup.runtime.willFail(...Array.from({ length: 9 }, () => broken));
    setup.reconciler.start();
    for (let starts = 1; starts <= 5; starts += 1) {
      await until(() => {
        expect(setup.putOffs).toBe(starts);
      });
      await settled();
      setup.clock.advance(setup.wakesIn(session) ?? 0);
      setup.reconciler.nudge(session.id);
    }
    await until(() => {
      expect(setup.messagesIn(session.id)).toMatchObject([{ status: 'failed' }]);
    });
    setup.clock.advance(3_600_000);
    setup.reconciler.nudge(session.id);
    await settled();
    expect(setup.runtime.starts).toHaveLength(5);
    expect(setup.store.dueItems.find(session.id, 'wake')).toBeUndefined();
    expect(setup.store.deadLetters.listForSession(session.id)).toMatchObject([
      { direction: 'in', reason: 'The folder cannot be written.' },
    ]);
    expect(setup.notices().map(({ id }) => id.split('-')[0])).toEqual(['waiting', 'failed']);
  });

  it.each([
    ['a config that is none', { containerConfig: '{"memoryMb":"much"}' }, 'memoryMb'],
    ['a folder that leaves groups/', { containerConfig: null, folder: '../../etc' }, 'folder name'],
  ])('because of %s is given up at once', async (_, fields, reason) => {
    setup.central((db) => {
      const { containerConfig, folder = setup.agentGroup.folder } = fields as {
        containerConfig: string | null;
        folder?: string;
      };
      db.prepare('UPDATE agent_groups SET container_config = ?, folder = ?').run(
        containerConfig,
        folder,
      );
    });
    const session = await setup.addWaitingSession();
    setup.reconciler.start();
    await until(() => {
      expect(setup.messagesIn(session.id)).toMatchObject([{ status: 'failed' }]);
    });
    expect(setup.runtime.starts).toEqual([]);
    expect(setup.store.deadLetters.listForSession(session.id)[0]?.reason).toContain(reason);
  });

  it('because its provider may not run without a container is given up at once', async () => {
    await using unsafe = new ContainerSetup({ isolates: false, defaultProvider: 'claude' });
    const session = await unsafe.addWaitingSession();
    unsafe.reconciler.start();
    await until(() => {
      expect(unsafe.messagesIn(session.id)).toMatchObject([{ status: 'failed' }]);
    });
    expect(unsafe.runtime.starts).toEqual([]);
  });

  it('takes the next message as a new beginning after it was given up', async () => {
    setup.store.agentGroups.update({ ...setup.agentGroup, containerConfig: '{' });
    const session = await setup.addWaitingSession();
    setup.reconciler.start();
    await until(() => {
      expect(setup.messagesIn(session.id)).toMatchObject([{ status: 'failed' }]);
    });
    setup.store.agentGroups.update(setup.agentGroup);
    await setup.post(session, 'm-2');
    setup.reconciler.nudge(session.id);
    await until(() => {
      expect(setup.containerStatus(session)).toBe('running');
    });
  });
});

describe('a container that ends right after its start', () => {
  it('is started less and less often, and given up at last', async () => {
    await using setup = new ContainerSetup();
    const session = await setup.addWaitingSession();
    setup.reconciler.start();
    for (let starts = 1; starts <= 6; starts += 1) {
      await until(() => {
        expect(setup.runtime.starts).toHaveLength(starts);
        expect(setup.containerStatus(session)).toBe('running');
      });
      setup.runtime.exit(session.id);
      await until(() => {
        expect(setup.containerStatus(session)).toBe('stopped');
        expect(setup.runtime.removed).toHaveLength(starts);
      });
      await settled();
      setup.clock.advance(setup.wakesIn(session) ?? 0);
      setup.reconciler.nudge(session.id);
    }
    await until(() => {
      expect(setup.messagesIn(session.id)).toMatchObject([{ status: 'failed' }]);
    });
    await settled();
    expect(setup.runtime.starts).toHaveLength(6);
  });

  it('is given up with the last error that it has logged', async () => {
    await using setup = new ContainerSetup();
    const session = await setup.addWaitingSession();
    const log = join(setup.root, `${session.id}.log`);
    setup.reconciler.start();
    for (let starts = 1; starts <= 6; starts += 1) {
      await until(() => {
        expect(setup.runtime.starts).toHaveLength(starts);
        expect(setup.containerStatus(session)).toBe('running');
      });
      const time = new Date(setup.clock.now()).toISOString();
      const err = { message: 'attempt to write a readonly database' };
      writeFileSync(log, `${JSON.stringify({ level: 'error', time, err, msg: 'cannot go on' })}\n`);
      setup.runtime.exit(session.id);
      await until(() => {
        expect(setup.containerStatus(session)).toBe('stopped');
        expect(setup.runtime.removed).toHaveLength(starts);
      });
      await settled();
      setup.clock.advance(setup.wakesIn(session) ?? 0);
      setup.reconciler.nudge(session.id);
    }
    await until(() => {
      expect(setup.store.deadLetters.listForSession(session.id)).toMatchObject([
        { reason: 'The agent ends right after its start: attempt to write a readonly database.' },
      ]);
    });
    expect(setup.logged('container ended by itself')[0]).toMatchObject({
      lastError: 'attempt to write a readonly database',
    });
  });

  it('is started again at once when it had run for a while', async () => {
    await using setup = new ContainerSetup();
    const session = await setup.addWaitingSession();
    setup.reconciler.start();
    for (let starts = 1; starts <= 8; starts += 1) {
      await until(() => {
        expect(setup.runtime.running(session.id)).toEqual([`c-${starts}`]);
        expect(setup.containerStatus(session)).toBe('running');
      });
      setup.clock.advance(10_000);
      setup.runtime.exit(session.id);
    }
    expect(setup.messagesIn(session.id)).toMatchObject([{ status: 'pending' }]);
  });

  /** Makes one short run: starts, does something, and ends. */
  async function runShortly(
    setup: ContainerSetup,
    session: Session,
    work: () => void | Promise<void>,
  ): Promise<void> {
    // The start may have begun already: somebody else waits too.
    const starts = setup.runtime.removed.length + 1;
    await until(() => {
      // The work before may still be planning its next try.
      setup.clock.advance(Math.max(0, setup.wakesIn(session) ?? 0));
      setup.reconciler.nudge(session.id);
      expect(setup.runtime.starts).toHaveLength(starts);
      expect(setup.containerStatus(session)).toBe('running');
    });
    await work();
    setup.runtime.exit(session.id);
    // By then the next one may run.
    await until(() => {
      expect(setup.runtime.removed).toHaveLength(starts);
    });
    await settled();
  }

  it('because of a message uses up the tries of that message, and of no other', async () => {
    await using setup = new ContainerSetup();
    const runner = setup.runnerOf(setup.session.id);
    const fatal = ['m-1', 'm-2', 'm-3'];
    await setup.post(setup.session, ...fatal, 'innocent');
    setup.reconciler.start();
    for (const id of fatal) {
      for (let tries = 0; tries < 3; tries += 1) {
        await runShortly(setup, setup.session, () => {
          runner.claimTry(tries, id);
        });
      }
    }
    expect(setup.store.deadLetters.list().map(({ reason }) => reason)).toContain(
      'The agent ended in the middle of it (exit code 1).',
    );
    expect(setup.describe()).toMatchObject({
      'm-1': expect.stringMatching(/^failed 2/) as string,
      'm-3': expect.stringMatching(/^failed 2/) as string,
      innocent: 'pending 0',
    });
  });

  it('is no start that failed where what it had failed at was settled before its end', async () => {
    await using setup = new ContainerSetup();
    const runner = setup.runnerOf(setup.session.id);
    const bad = ['m-1', 'm-2', 'm-3'];
    await setup.post(setup.session, ...bad, 'innocent');
    setup.reconciler.start();
    for (const id of bad) {
      for (let tries = 0; tries < 3; tries += 1) {
        await runShortly(setup, setup.session, async () => {
          runner.claimTry(tries, id);
          runner.fail(id, 'no idea', tries);
          await setup.pass();
        });
      }
    }
    expect(setup.describe()).toMatchObject({ innocent: 'pending 0' });
  });

  it('is given up also where messages arrive while its end is dealt with', async () => {
    await using setup = new ContainerSetup();
    await setup.post(setup.session, 'm-0');
    let arrivals = 0;
    setup.whenEnded = (sessionId) => {
      arrivals += 1;
      setup.inbound(sessionId, (db) => {
        db.prepare(
          `INSERT INTO messages_in (id, seq, kind, timestamp, content) VALUES (?, ?, 'chat', ?, '{}')`,
        ).run(`more-${arrivals}`, 1_000 + 2 * arrivals, setup.clock.iso());
      });
    };
    setup.reconciler.start();
    for (let starts = 1; starts <= 6; starts += 1) {
      await runShortly(setup, setup.session, () => undefined);
    }
    await until(() => {
      expect(setup.describe()).toMatchObject({ 'm-0': 'failed 0' });
    });
  });
});
