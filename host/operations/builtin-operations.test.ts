import { describe, expect, it } from 'vitest';
import { accessOf, findDaemonOperation, findOperation, operations } from './builtin-operations.js';
import { parseInput } from './operation.js';

describe('the operations', () => {
  it('have a name of a noun and a verb each, and somebody who may ask for it', () => {
    const names = operations.map(({ name }) => name);
    for (const name of names) expect(name).toMatch(/^[a-z-]+\.[a-z-]+$/);
    expect(new Set(names).size).toBe(names.length);
    expect(Object.keys(accessOf).sort()).toEqual([...names].sort());
  });

  it('say in one sentence what they do', () => {
    for (const { summary } of operations) expect(summary).toMatch(/^[A-Z].*\.$/);
  });

  it('refuse what does not fit, and name it', () => {
    expect(() => parseInput(findOperation('sessions.close'), { session: 7 })).toThrow(
      expect.objectContaining({
        code: 'invalid_input',
        message: expect.stringContaining('sessions.close') as string,
      }),
    );
  });

  it('of the daemon are found by what requests of earlier versions call them, too', () => {
    expect(findDaemonOperation('create-task')?.name).toBe('tasks.create');
    expect(findDaemonOperation('tasks.create')?.name).toBe('tasks.create');
    expect(findDaemonOperation('sessions.close')).toBeUndefined();
    expect(findDaemonOperation('nothing')).toBeUndefined();
  });
});
