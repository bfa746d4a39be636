import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Session } from '../store/sessions.js';
import { BerthError } from '../../shared/base/errors.js';
import { openDatabase } from '../../shared/base/sqlite/sqlite.js';
import { inboundDbPath } from '../../shared/protocol/workspace.js';
import { ContainerRoom } from '../../test/fakes/container-room.js';
import { settled, until } from '../../test/fakes/waiting.js';

const away = new BerthError('engine_unreachable', 'No container engine answers.');

describe('an engine that does not answer', () => {
  let room: ContainerRoom;

  beforeEach(() => {
    room = new ContainerRoom({ resyncIntervalMs: 10 });
  });

  afterEach(async () => {
    await room[Symbol.asyncDispose]();
  });

  it('is reported once, tells each who waits once, and goes on by itself when it is back', async () => {
    const first = await room.addWaitingSession();
    room.runtime.goAway(away);
    room.reconciler.start();
    await until(() => {
      expect(room.notices()).toHaveLength(1);
    });
    const second = await room.addWaitingSession();
    room.reconciler.nudge(second.id);
    await until(() => {
      expect(room.notices()).toHaveLength(2);
    });
    const { lists } = room.runtime;
    await until(() => {
      expect(room.runtime.lists).toBeGreaterThan(lists + 3);
    });
    expect(room.notices().map((notice) => notice.in_reply_to)).toEqual([
      `m-of-${first.id}`,
      `m-of-${second.id}`,
    ]);
    expect(room.problems).toMatchObject([{ code: 'engine_unreachable' }]);
    expect(room.runtime.starts).toEqual([]);

    room.runtime.goAway(undefined);
    await until(() => {
      expect(room.containerStatus(first)).toBe('running');
      expect(room.containerStatus(second)).toBe('running');
    });
    expect(room.problems).toHaveLength(2);
    expect(room.problems.at(-1)).toBeUndefined();
    expect(room.notices()).toHaveLength(2);
  });

  it('does not open the files of all who wait at every listing', async () => {
    const session = await room.addWaitingSession();
    room.runtime.goAway(away);
    room.reconciler.start();
    await until(() => {
      expect(room.notices()).toHaveLength(1);
    });
    await settled();
    // A read of the file fails now.
    rmSync(inboundDbPath(room.folders.inDir(session.id)));
    const { lists } = room.runtime;
    await until(() => {
      expect(room.runtime.lists).toBeGreaterThan(lists + 5);
    });
    expect(room.logLines.filter((line) => line.includes('"level":"warn"'))).toEqual([]);
  });

  it('tells every chat, also while the file of one session is locked', async () => {
    const locked = await room.addWaitingSession();
    const free = await room.addWaitingSession();
    const path = inboundDbPath(room.folders.inDir(locked.id));
    const lock = openDatabase(path, { mode: 'write', busyTimeoutMs: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    room.runtime.goAway(away);
    room.reconciler.start();
    await until(() => {
      expect(room.notices().map((notice) => notice.in_reply_to)).toEqual([`m-of-${free.id}`]);
    });
    lock.close();
    await until(() => {
      expect(room.notices()).toHaveLength(2);
    });
  });

  it('loses nothing that runs: it is adopted when the engine is back', async () => {
    const session = room.addSession({ containerStatus: 'running' });
    room.runtime.put(session.id);
    room.runtime.goAway(away);
    room.reconciler.start();
    await until(() => {
      expect(room.problems).toHaveLength(1);
    });
    expect(room.containerStatus(session)).toBe('running');
    expect(room.ended).toEqual([]);
    room.runtime.goAway(undefined);
    await until(() => {
      expect(room.running).toEqual([session.id]);
    });
  });

  it('or has no room left is reported once for all who wait, and said to be well with the next start', async () => {
    const full = new BerthError('engine_failed', 'The container engine has no space left.');
    const sessions = [await room.addWaitingSession(), await room.addWaitingSession()];
    room.runtime.willFail(full, full);
    room.reconciler.start();
    await until(() => {
      expect(room.notices()).toHaveLength(2);
    });
    expect(room.startTroubles.every((trouble) => trouble === full)).toBe(true);
    const errors = room.logged('container not started').filter(({ level }) => level === 'error');
    expect(errors).toHaveLength(1);
    room.clock.advance(60_000);
    for (const { id } of sessions) room.reconciler.nudge(id);
    await until(() => {
      expect(sessions.map((session) => room.containerStatus(session))).toEqual([
        'running',
        'running',
      ]);
    });
    expect(room.startTroubles.at(-1)).toBeUndefined();
    expect(room.logged('containers can be started again')).toHaveLength(1);
  });

  it('never ends a message, however often a start fails for it', async () => {
    const session = await room.addWaitingSession();
    room.runtime.willFail(...Array.from({ length: 12 }, () => away));
    room.reconciler.start();
    const waits: number[] = [];
    for (let starts = 1; starts <= 12; starts += 1) {
      await until(() => {
        expect(room.putOffs).toBe(starts);
        expect(room.containerStatus(session)).toBe('stopped');
      });
      await settled();
      waits.push(room.wakesIn(session) ?? 0);
      room.clock.advance(waits.at(-1) ?? 0);
      room.reconciler.nudge(session.id);
    }
    expect(waits.slice(0, 7)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000]);
    expect(new Set(waits.slice(7))).toEqual(new Set([60_000]));
    await until(() => {
      expect(room.containerStatus(session)).toBe('running');
    });
    expect(room.messagesIn(session.id)).toMatchObject([{ status: 'pending', tries: 0 }]);
    expect(room.notices()).toHaveLength(1);
  });
});

describe('a start that fails', () => {
  let room: ContainerRoom;

  beforeEach(() => {
    room = new ContainerRoom();
  });

  afterEach(async () => {
    await room[Symbol.asyncDispose]();
  });

  it('is put off, and tried again when it is due and no sooner', async () => {
    const session = await room.addWaitingSession();
    room.runtime.willFail(away);
    room.reconciler.start();
    await until(() => {
      expect(room.putOffs).toBe(1);
    });
    room.clock.advance(999);
    await room.post(session, 'm-2');
    for (let nudges = 0; nudges < 3; nudges += 1) room.reconciler.nudge(session.id);
    await settled();
    expect(room.runtime.starts).toHaveLength(1);
    room.clock.advance(1);
    room.reconciler.nudge(session.id);
    await until(() => {
      expect(room.containerStatus(session)).toBe('running');
    });
    expect(room.runtime.starts).toHaveLength(2);
  });

  it('for a reason of the session’s own is given up after five, and told', async () => {
    const session = await room.addWaitingSession();
    const broken = new BerthError('io_failed', 'The folder cannot be written.');
    room.runtime.willFail(...Array.from({ length: 9 }, () => broken));
    room.reconciler.start();
    for (let starts = 1; starts <= 5; starts += 1) {
      await until(() => {
        expect(room.putOffs).toBe(starts);
      });
      await settled();
      room.clock.advance(room.wakesIn(session) ?? 0);
      room.reconciler.nudge(session.id);
    }
    await until(() => {
      expect(room.messagesIn(session.id)).toMatchObject([{ status: 'failed' }]);
    });
    room.clock.advance(3_600_000);
    room.reconciler.nudge(session.id);
    await settled();
    expect(room.runtime.starts).toHaveLength(5);
    expect(room.store.dueItems.find(session.id, 'wake')).toBeUndefined();
    expect(room.store.deadLetters.listForSession(session.id)).toMatchObject([
      { direction: 'in', reason: 'The folder cannot be written.' },
    ]);
    expect(room.notices().map(({ id }) => id.split('-')[0])).toEqual(['waiting', 'failed']);
  });

  it.each([
    ['a config that is none', { containerConfig: '{"memoryMb":"much"}' }, 'memoryMb'],
    ['a folder that leaves groups/', { containerConfig: null, folder: '../../etc' }, 'folder name'],
  ])('because of %s is given up at once', async (_, fields, reason) => {
    room.central((db) => {
      const { containerConfig, folder = room.agentGroup.folder } = fields as {
        containerConfig: string | null;
        folder?: string;
      };
      db.prepare('UPDATE agent_groups SET container_config = ?, folder = ?').run(
        containerConfig,
        folder,
      );
    });
    const session = await room.addWaitingSession();
    room.reconciler.start();
    await until(() => {
      expect(room.messagesIn(session.id)).toMatchObject([{ status: 'failed' }]);
    });
    expect(room.runtime.starts).toEqual([]);
    expect(room.store.deadLetters.listForSession(session.id)[0]?.reason).toContain(reason);
  });

  it('because its provider may not run without a container is given up at once', async () => {
    await using unsafe = new ContainerRoom({ isolates: false, defaultProvider: 'claude' });
    const session = await unsafe.addWaitingSession();
    unsafe.reconciler.start();
    await until(() => {
      expect(unsafe.messagesIn(session.id)).toMatchObject([{ status: 'failed' }]);
    });
    expect(unsafe.runtime.starts).toEqual([]);
  });

  it('takes the next message as a new beginning after it was given up', async () => {
    room.store.agentGroups.update({ ...room.agentGroup, containerConfig: '{' });
    const session = await room.addWaitingSession();
    room.reconciler.start();
    await until(() => {
      expect(room.messagesIn(session.id)).toMatchObject([{ status: 'failed' }]);
    });
    room.store.agentGroups.update(room.agentGroup);
    await room.post(session, 'm-2');
    room.reconciler.nudge(session.id);
    await until(() => {
      expect(room.containerStatus(session)).toBe('running');
    });
  });
});

describe('a container that ends right after its start', () => {
  it('is started less and less often, and given up at last', async () => {
    await using room = new ContainerRoom();
    const session = await room.addWaitingSession();
    room.reconciler.start();
    for (let starts = 1; starts <= 6; starts += 1) {
      await until(() => {
        expect(room.runtime.starts).toHaveLength(starts);
        expect(room.containerStatus(session)).toBe('running');
      });
      room.runtime.exit(session.id);
      await until(() => {
        expect(room.containerStatus(session)).toBe('stopped');
        expect(room.runtime.removed).toHaveLength(starts);
      });
      await settled();
      room.clock.advance(room.wakesIn(session) ?? 0);
      room.reconciler.nudge(session.id);
    }
    await until(() => {
      expect(room.messagesIn(session.id)).toMatchObject([{ status: 'failed' }]);
    });
    await settled();
    expect(room.runtime.starts).toHaveLength(6);
  });

  it('is given up with the last error that it has logged', async () => {
    await using room = new ContainerRoom();
    const session = await room.addWaitingSession();
    const log = join(room.root, `${session.id}.log`);
    room.reconciler.start();
    for (let starts = 1; starts <= 6; starts += 1) {
      await until(() => {
        expect(room.runtime.starts).toHaveLength(starts);
        expect(room.containerStatus(session)).toBe('running');
      });
      const time = new Date(room.clock.now()).toISOString();
      const err = { message: 'attempt to write a readonly database' };
      writeFileSync(log, `${JSON.stringify({ level: 'error', time, err, msg: 'cannot go on' })}\n`);
      room.runtime.exit(session.id);
      await until(() => {
        expect(room.containerStatus(session)).toBe('stopped');
        expect(room.runtime.removed).toHaveLength(starts);
      });
      await settled();
      room.clock.advance(room.wakesIn(session) ?? 0);
      room.reconciler.nudge(session.id);
    }
    await until(() => {
      expect(room.store.deadLetters.listForSession(session.id)).toMatchObject([
        { reason: 'The agent ends right after its start: attempt to write a readonly database.' },
      ]);
    });
    expect(room.logged('container ended by itself')[0]).toMatchObject({
      lastError: 'attempt to write a readonly database',
    });
  });

  it('is started again at once when it had run for a while', async () => {
    await using room = new ContainerRoom();
    const session = await room.addWaitingSession();
    room.reconciler.start();
    for (let starts = 1; starts <= 8; starts += 1) {
      await until(() => {
        expect(room.runtime.running(session.id)).toEqual([`c-${starts}`]);
        expect(room.containerStatus(session)).toBe('running');
      });
      room.clock.advance(10_000);
      room.runtime.exit(session.id);
    }
    expect(room.messagesIn(session.id)).toMatchObject([{ status: 'pending' }]);
  });

  /** Makes one short run: starts, does something, and ends. */
  async function runShortly(
    room: ContainerRoom,
    session: Session,
    work: () => void | Promise<void>,
  ): Promise<void> {
    // The start may have begun already: somebody else waits too.
    const starts = room.runtime.removed.length + 1;
    await until(() => {
      // The work before may still be planning its next try.
      room.clock.advance(Math.max(0, room.wakesIn(session) ?? 0));
      room.reconciler.nudge(session.id);
      expect(room.runtime.starts).toHaveLength(starts);
      expect(room.containerStatus(session)).toBe('running');
    });
    await work();
    room.runtime.exit(session.id);
    // By then the next one may run.
    await until(() => {
      expect(room.runtime.removed).toHaveLength(starts);
    });
    await settled();
  }

  it('because of a message uses up the tries of that message, and of no other', async () => {
    await using room = new ContainerRoom();
    const runner = room.runnerOf(room.session.id);
    const fatal = ['m-1', 'm-2', 'm-3'];
    await room.post(room.session, ...fatal, 'innocent');
    room.reconciler.start();
    for (const id of fatal) {
      for (let tries = 0; tries < 3; tries += 1) {
        await runShortly(room, room.session, () => {
          runner.claimTry(tries, id);
        });
      }
    }
    expect(room.store.deadLetters.list().map(({ reason }) => reason)).toContain(
      'The agent ended in the middle of it (exit code 1).',
    );
    expect(room.describe()).toMatchObject({
      'm-1': expect.stringMatching(/^failed 2/) as string,
      'm-3': expect.stringMatching(/^failed 2/) as string,
      innocent: 'pending 0',
    });
  });

  it('is no start that failed where what it had failed at was settled before its end', async () => {
    await using room = new ContainerRoom();
    const runner = room.runnerOf(room.session.id);
    const bad = ['m-1', 'm-2', 'm-3'];
    await room.post(room.session, ...bad, 'innocent');
    room.reconciler.start();
    for (const id of bad) {
      for (let tries = 0; tries < 3; tries += 1) {
        await runShortly(room, room.session, async () => {
          runner.claimTry(tries, id);
          runner.fail(id, 'no idea', tries);
          await room.look();
        });
      }
    }
    expect(room.describe()).toMatchObject({ innocent: 'pending 0' });
  });

  it('is given up also where messages arrive while its end is dealt with', async () => {
    await using room = new ContainerRoom();
    await room.post(room.session, 'm-0');
    let arrivals = 0;
    room.whenEnded = (sessionId) => {
      arrivals += 1;
      room.inbound(sessionId, (db) => {
        db.prepare(
          `INSERT INTO messages_in (id, seq, kind, timestamp, content) VALUES (?, ?, 'chat', ?, '{}')`,
        ).run(`more-${arrivals}`, 1_000 + 2 * arrivals, room.clock.iso());
      });
    };
    room.reconciler.start();
    for (let starts = 1; starts <= 6; starts += 1) {
      await runShortly(room, room.session, () => undefined);
    }
    await until(() => {
      expect(room.describe()).toMatchObject({ 'm-0': 'failed 0' });
    });
  });
});
