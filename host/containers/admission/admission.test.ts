import { describe, expect, it } from 'vitest';
import { Admission, type Share } from './admission.js';

function share(sessionId: string, agentGroupId = 'ag-1', chatId = sessionId, memoryMb = 1): Share {
  return { sessionId, agentGroupId, chatId, memoryMb };
}

function newAdmission(maxContainers: number, memoryBudgetMb = 1_000): Admission {
  return new Admission({ maxContainers, memoryBudgetMb });
}

/** Admits whoever is next until nobody can be, each started at once; returns them in order. */
function admitAll(admission: Admission, shares: readonly Share[]): readonly string[] {
  const admitted: string[] = [];
  for (;;) {
    const next = admission.next();
    const found = shares.find(({ sessionId }) => sessionId === next?.sessionId);
    if (next === undefined || next.needsPlace || found === undefined) return admitted;
    expect(admission.admit(found)).toBe(true);
    admission.started(found.sessionId, true);
    admitted.push(found.sessionId);
  }
}

describe('admission', () => {
  it('lets in as many as there are places, and the next one when a place is free', () => {
    const admission = newAdmission(2);
    for (const id of ['a', 'b']) {
      expect(admission.admit(share(id))).toBe(true);
      admission.started(id, true);
    }
    expect(admission.admit(share('c'))).toBe(false);
    expect(admission.next()).toEqual({ sessionId: 'c', needsPlace: true });
    admission.release('a');
    expect(admission.next()).toEqual({ sessionId: 'c', needsPlace: false });
    expect(admission.admit(share('c'))).toBe(true);
    expect(admission.next()).toBeUndefined();
  });

  it('keeps to the memory budget, whatever the places', () => {
    const admission = newAdmission(10, 100);
    expect(admission.admit(share('a', 'ag-1', 'a', 60))).toBe(true);
    admission.started('a', true);
    expect(admission.admit(share('b', 'ag-1', 'b', 50))).toBe(false);
    admission.release('a');
    expect(admission.admit(share('b', 'ag-1', 'b', 50))).toBe(true);
  });

  it('refuses what would never fit, with the setting to change', () => {
    expect(() => newAdmission(1, 100).admit(share('a', 'ag-1', 'a', 101))).toThrow(
      expect.objectContaining({
        code: 'spec_refused',
        next: expect.stringContaining('BERTH_MEMORY_BUDGET_MB') as string,
      }) as Error,
    );
  });

  it('lets agent groups and chats take turns also where there is room for one alone', () => {
    const admission = newAdmission(1);
    const flood = Array.from({ length: 6 }, (_, i) =>
      share(`f-${i}`, 'busy', i < 4 ? 'loud' : 'shy'),
    );
    const others = [share('g', 'calm'), share('h', 'quiet')];
    for (const one of [...flood, ...others]) admission.admit(one);
    const order: string[] = ['f-0'];
    for (let running = 'f-0'; admission.waiting > 0; running = order.at(-1)!) {
      admission.started(running, true);
      admission.release(running);
      order.push(...admitAll(admission, [...flood, ...others]));
    }
    expect(order).toEqual(['f-0', 'g', 'h', 'f-4', 'f-1', 'f-5', 'f-2', 'f-3']);
  });

  it('has only a few started at once, and calls the next when one has', () => {
    const admission = newAdmission(10);
    const ids = ['a', 'b', 'c', 'd', 'e'];
    expect(ids.map((id) => admission.admit(share(id)))).toEqual([true, true, true, true, false]);
    expect(admission.next()).toBeUndefined();
    admission.started('b', false);
    expect(admission.next()).toEqual({ sessionId: 'e', needsPlace: false });
  });

  it('serves the agent group with the fewest containers first, in it the chat with the fewest', () => {
    const admission = newAdmission(6);
    admission.note(share('x-1', 'busy', 'flood'));
    admission.note(share('x-2', 'busy', 'flood'));
    const waiting = [
      ...['f-1', 'f-2', 'f-3', 'f-4'].map((id) => share(id, 'busy', 'flood')),
      share('calm-1', 'busy', 'calm'),
      share('other-1', 'quiet', 'other'),
      share('other-2', 'quiet', 'other'),
    ];
    for (const one of waiting) admission.note({ ...one, sessionId: `full-${one.sessionId}` });
    for (const one of waiting) expect(admission.admit(one)).toBe(false);
    for (const one of waiting) admission.release(`full-${one.sessionId}`);
    expect(admitAll(admission, waiting)).toEqual(['other-1', 'other-2', 'calm-1', 'f-1']);
  });

  it('lets those who came first go first among equals', () => {
    const admission = newAdmission(3);
    const full = ['x', 'y', 'z'].map((id) => share(id, `ag-${id}`));
    for (const one of full) admission.note(one);
    const waiting = ['a', 'b', 'c'].map((id) => share(id, `ag-${id}`));
    for (const one of waiting) admission.admit(one);
    for (const one of full) admission.release(one.sessionId);
    expect(admitAll(admission, waiting)).toEqual(['a', 'b', 'c']);
  });

  it('tells those who wait their places, in the order in which they will be served', () => {
    const admission = newAdmission(1);
    admission.note(share('x', 'busy'));
    for (const id of ['a', 'b']) admission.admit(share(id, 'busy'));
    admission.admit(share('c', 'quiet'));
    expect(admission.listWaiting(-1).map(({ sessionId, place }) => [sessionId, place])).toEqual([
      ['c', 1],
      ['a', 2],
      ['b', 3],
    ]);
    expect(admission.listWaiting(60_000)).toEqual([]);
    admission.leave('c');
    expect(admission.listWaiting(-1)[0]?.sessionId).toBe('a');
    expect([admission.isKeptWaiting('a'), admission.isKeptWaiting('b')]).toEqual([false, true]);
  });

  it('lets in a prewarmed one only where nobody waits and a place stays free', () => {
    const admission = newAdmission(3);
    expect(admission.admitPrewarmed(share('s-1'))).toBe(true);
    admission.started('s-1', true);
    expect(admission.admitPrewarmed(share('s-2'))).toBe(true);
    admission.started('s-2', true);
    expect(admission.admitPrewarmed(share('s-3'))).toBe(false);
    expect(admission.admit(share('a'))).toBe(true);
  });

  it('goes by what the engine lists, but for what is being started', () => {
    const admission = newAdmission(2);
    admission.note(share('gone'));
    expect(admission.admit(share('a'))).toBe(true);
    admission.keepOnly(new Set());
    expect(admission.admit(share('b'))).toBe(true);
    expect(admission.admit(share('c'))).toBe(false);
  });

  it('finds the next of ten thousand without going through all of them for each that comes', () => {
    const admission = newAdmission(1);
    admission.note(share('x'));
    const startedAt = performance.now();
    for (let index = 0; index < 10_000; index += 1) {
      admission.admit(share(`s-${index}`, `ag-${index % 7}`, `chat-${index % 100}`));
    }
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(admission.waiting).toBe(10_000);
  });
});
