import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TempHome } from '../../test/fakes/temp-home.js';

describe('the table of repairs', () => {
  let home: TempHome;
  let id: string;

  beforeEach(() => {
    home = new TempHome();
    id = home.addSession().id;
  });

  afterEach(() => {
    home[Symbol.dispose]();
  });

  function want(action: 'wanted' | 'rollback-wanted', detail: string): boolean {
    const createdAt = home.clock.iso();
    return home.store.repairs.want(id, { file: 'outbound.db', action, detail, createdAt });
  }

  function rows(): readonly string[] {
    return home.store.repairs
      .listForSession(id, 10)
      .map(({ file, action, detail }) => `${file} ${action}: ${detail}`);
  }

  it('wants a file repaired once, and a whole repair rather than a rollback', () => {
    expect(want('rollback-wanted', 'a')).toBe(true);
    expect(want('rollback-wanted', 'b')).toBe(false);
    expect(rows()).toEqual(['outbound.db rollback-wanted: a']);
    expect(want('wanted', 'c')).toBe(true);
    expect(want('rollback-wanted', 'd')).toBe(false);
    expect(rows()).toEqual(['outbound.db wanted: c']);
    expect(home.store.repairs.listSessionsWanting()).toEqual([id]);
  });

  it('keeps what was done, and can want the same anew', () => {
    const done = { file: 'outbound.db', action: 'replaced', detail: 'x' } as const;
    want('wanted', 'a');
    home.store.repairs.settle(id, { ...done, createdAt: home.clock.iso() });
    expect(home.store.repairs.isWanted(id)).toBe(false);
    want('wanted', 'b');
    expect(rows()).toEqual(['outbound.db wanted: b', 'outbound.db replaced: x']);
    expect(home.store.repairs.noteFailure(id)).toBe(1);
    expect(home.store.repairs.noteFailure(id)).toBe(2);
    home.store.repairs.giveUp(id);
    expect(rows()).toEqual(['outbound.db set-aside: b', 'outbound.db replaced: x']);
    expect(home.store.repairs.noteFailure(id)).toBe(0);
  });

  it('notes also what nobody had wanted', () => {
    const createdAt = home.clock.iso();
    const done = { file: 'outbound.db', action: 'rolled-back', detail: 'x', createdAt } as const;
    home.store.repairs.settle(id, done);
    expect(rows()).toEqual(['outbound.db rolled-back: x']);
  });
});
