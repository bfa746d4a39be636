import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TempHome } from '../../test/fakes/temp-home.js';

describe('the table of due work', () => {
  let home: TempHome;
  let told: string[];

  beforeEach(() => {
    home = new TempHome();
    told = [];
    home.store.dueItems.watch((dueAt) => told.push(dueAt));
  });

  afterEach(() => {
    home[Symbol.dispose]();
  });

  it('tells of every due time that is written, in whatever way', () => {
    const { id: sessionId } = home.addSession();
    const [early, late] = [home.clock.iso(1_000), home.clock.iso(2_000)];
    home.store.dueItems.set({ sessionId, kind: 'wake', dueAt: late, attempts: 0 });
    home.store.dueItems.advance(sessionId, 'deliver', early);
    home.store.dueItems.checkAgain(home.clock.iso(), late);
    expect(told).toEqual([late, early, home.clock.iso()]);
  });

  it('does not tell of what is to be pruned, which waits in a line of its own', () => {
    const { id: sessionId } = home.addSession();
    const item = { sessionId, kind: 'prune', attempts: 0 } as const;
    home.store.dueItems.set({ ...item, dueAt: home.clock.iso(2_000) });
    home.store.dueItems.advance(sessionId, 'prune', home.clock.iso(1_000));
    home.store.dueItems.advancePrunes(home.clock.iso(), home.clock.iso(500));
    expect(told).toEqual([]);
  });

  it('tells the one that asked last', () => {
    const { id: sessionId } = home.addSession();
    const later: string[] = [];
    home.store.dueItems.watch((dueAt) => later.push(dueAt));
    home.store.dueItems.advance(sessionId, 'wake', home.clock.iso());
    expect(told).toEqual([]);
    expect(later).toEqual([home.clock.iso()]);
  });
});
