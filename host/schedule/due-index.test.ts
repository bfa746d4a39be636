import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { settled, until } from '../../test/fakes/waiting.js';
import { TempHome } from '../../test/fakes/temp-home.js';
import { ClockJumps } from '../sessions/clock-jumps.js';
import type { DueKind } from '../store/due-items.js';
import type { Session } from '../store/sessions.js';
import { DueIndex } from './due-index.js';

describe('the index of due work', () => {
  let home: TempHome;
  let other: TempHome;
  let index: DueIndex;
  let first: Session;
  let second: Session;
  let due: string[];
  let uptimeMs: number;
  /** Handles a due item; by default it is dealt with. */
  let handle: (sessionId: string, kind: DueKind) => void;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    home = new TempHome();
    other = new TempHome();
    first = home.addSession();
    second = home.addSession();
    due = [];
    uptimeMs = 0;
    handle = (sessionId, kind): void => {
      home.store.dueItems.clear(sessionId, kind);
    };
    index = new DueIndex({
      store: home.store,
      clock: home.clock,
      monotonicNow: () => uptimeMs,
      log: home.log,
      onDue: ({ sessionId, kind }) => {
        due.push(`${kind} ${sessionId}`);
        handle(sessionId, kind);
      },
      // The changes of a jump elsewhere are no matter of this test: they are done to another home.
      clockJumps: new ClockJumps({
        store: other.store,
        clock: home.clock,
        monotonicNow: () => uptimeMs,
        log: home.log,
      }),
    });
  });

  afterEach(() => {
    index.stop();
    vi.useRealTimers();
    home[Symbol.dispose]();
    other[Symbol.dispose]();
  });

  /** By how much the clock is said to have been set, in milliseconds. */
  function clockSet(): readonly number[] {
    return home.logLines
      .map((line) => JSON.parse(line) as { msg: string; byMs: number })
      .flatMap(({ msg, byMs }) => (msg === 'system clock was set' ? [byMs] : []));
  }

  function plan(session: Session, inMs: number, kind: DueKind = 'wake'): void {
    const dueAt = home.clock.iso(inMs);
    home.store.dueItems.set({ sessionId: session.id, kind, dueAt, attempts: 0 });
  }

  /** Clock and timers together, as they go in the world. */
  function pass(ms: number): void {
    const step = 10;
    for (let passed = 0; passed < ms; passed += step) {
      home.clock.advance(step);
      uptimeMs += step;
      vi.advanceTimersByTime(step);
    }
  }

  it('reports at start what has become due meanwhile, the longest waiting first', () => {
    plan(first, -1_000);
    plan(second, -2_000, 'deliver');
    plan(second, 60_000);
    index.start();
    expect(due).toEqual(['deliver s-2', 'wake s-1']);
  });

  it('sleeps until the earliest, with one timer', () => {
    plan(first, 5_000);
    plan(second, 2_000);
    index.start();
    expect(vi.getTimerCount()).toBe(1);
    pass(1_990);
    expect(due).toEqual([]);
    pass(10);
    expect(due).toEqual(['wake s-2']);
    pass(3_000);
    expect(due).toEqual(['wake s-2', 'wake s-1']);
    expect(vi.getTimerCount()).toBe(1);
  });

  it('is told of what is due sooner', () => {
    index.start();
    plan(first, 1_000);
    plan(second, 5_000);
    pass(1_000);
    expect(due).toEqual(['wake s-1']);
    pass(4_000);
    expect(due).toEqual(['wake s-1', 'wake s-2']);
  });

  it('reports soon what was due already when it was told', () => {
    index.start();
    plan(first, 0);
    plan(second, -60_000, 'deliver');
    pass(50);
    expect(due).toEqual(['deliver s-2', 'wake s-1']);
  });

  it('is not put off by being told again and again', () => {
    index.start();
    for (let told = 0; told < 20; told += 1) {
      plan(first, 0);
      pass(10);
    }
    expect(due.length).toBeGreaterThanOrEqual(3);
  });

  it('does not overlook what becomes due while it reports', () => {
    plan(first, 0);
    plan(second, 5);
    handle = (sessionId, kind): void => {
      home.store.dueItems.clear(sessionId, kind);
      home.clock.advance(10);
    };
    index.start();
    expect(due).toEqual(['wake s-1']);
    pass(50);
    expect(due).toEqual(['wake s-1', 'wake s-2']);
  });

  it('reports what stays due again, but does not spin', () => {
    handle = (): void => undefined;
    plan(first, 0);
    index.start();
    pass(30_000);
    const times = due.length;
    expect(times).toBeGreaterThanOrEqual(2);
    expect(times).toBeLessThanOrEqual(30_000 / 50);
  });

  it('does not spin on a time that was written by hand and is none', () => {
    home.central((db) => {
      db.prepare(`INSERT INTO due_items VALUES (?, 'wake', 'whenever', 0)`).run(first.id);
    });
    plan(second, 0);
    handle = (): void => undefined;
    index.start();
    pass(1_000);
    expect(due.length).toBeLessThanOrEqual(1_000 / 50);
    plan(second, 100);
    due = [];
    pass(200);
    expect(due).toEqual(['wake s-2']);
  });

  it('notices within a second that the clock was set forward, and says so', () => {
    plan(first, 3_600_000);
    index.start();
    home.clock.advance(3_600_000);
    pass(1_000);
    expect(due).toEqual(['wake s-1']);
    expect(clockSet()).toEqual([3_600_000]);
    expect(home.logLines.at(-1)).toContain('system clock was set');
  });

  it('notices within a second that the clock was set back, and reports what waits once more', () => {
    handle = (): void => undefined;
    plan(first, -7_200_000);
    index.start();
    home.clock.advance(-3_600_000);
    pass(1_000);
    expect(clockSet()).toEqual([-3_600_000]);
    expect(due).toEqual(['wake s-1', 'wake s-1']);
  });

  it('takes a clock that is being corrected a little for what it is', () => {
    index.start();
    for (let second = 0; second < 60; second += 1) {
      home.clock.advance(second % 2 === 0 ? 400 : -400);
      pass(1_000);
    }
    expect(clockSet()).toEqual([]);
  });

  it('waits longer when the clock was set back, and is told of new work as ever', () => {
    plan(first, 1_000);
    index.start();
    home.clock.advance(-3_600_000);
    pass(5_000);
    expect(due).toEqual([]);
    plan(second, 500);
    pass(500);
    expect(due).toEqual(['wake s-2']);
    pass(3_600_000 - 5_500 + 1_000);
    expect(due).toEqual(['wake s-2', 'wake s-1']);
  });

  describe('with thousands that wait', () => {
    const count = 3_000;

    beforeEach(() => {
      handle = (): void => undefined;
      home.store.transaction(() => {
        for (let i = 0; i < count; i += 1) {
          plan(home.addSession({ id: `s-many-${i}` }), -60_000 + (i % 7));
        }
      });
    });

    it('reports all of them, in slices that let others have their turn', async () => {
      let turns = 0;
      const other = setInterval(() => (turns += 1), 0);
      index.start();
      expect(due.length).toBeLessThan(count);
      await until(() => {
        expect(new Set(due).size).toBe(count);
      });
      clearInterval(other);
      expect(due).toHaveLength(count);
      expect(turns).toBeGreaterThan(0);
    });

    it('does not read them again while nothing changes, and reports what is new at once', async () => {
      index.start();
      await until(() => {
        expect(due).toHaveLength(count);
      });
      // The last page is followed by an empty one.
      await settled();
      for (let i = 0; i < 20; i += 1) {
        plan(first, 0);
        pass(100);
      }
      expect(due.slice(count).every((item) => item === 'wake s-1')).toBe(true);
      expect(due.length - count).toBeGreaterThanOrEqual(20);
    });

    it('reports them again after a while: the safety net', async () => {
      index.start();
      await until(() => {
        expect(due).toHaveLength(count);
      });
      // The last page is followed by an empty one.
      await settled();
      pass(31_000);
      await until(() => {
        expect(due).toHaveLength(2 * count);
      });
    });
  });

  it('reports what another process put in, however long it took to be seen', () => {
    index.start();
    pass(10_000);
    home.central((db) => {
      const dueAt = home.clock.iso(-2_000);
      db.prepare(`INSERT INTO due_items VALUES (?, 'wake', ?, 0)`).run(first.id, dueAt);
    });
    index.readAgain();
    expect(due).toEqual(['wake s-1']);
  });

  it('does nothing before its start, and nothing after its end', () => {
    plan(first, 0);
    index.readAgain();
    expect(due).toEqual([]);
    index.start();
    index.stop();
    plan(second, 0);
    index.readAgain();
    pass(60_000);
    expect(due).toEqual(['wake s-1']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('goes on when a read fails', () => {
    plan(first, 0);
    handle = (): never => {
      throw new Error('database is locked');
    };
    index.start();
    expect(home.logLines.at(-1)).toContain('due work could not be read');
    handle = (sessionId, kind): void => {
      home.store.dueItems.clear(sessionId, kind);
    };
    pass(1_000);
    expect(due).toEqual(['wake s-1', 'wake s-1']);
  });
});
