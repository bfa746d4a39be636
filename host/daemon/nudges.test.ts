import { expect, it } from 'vitest';
import { nudgesFor } from './nudges.js';

it('a hint goes to the part of the daemon that may have something to do', () => {
  const told: string[] = [];
  const tell =
    (name: string) =>
    (...of: readonly string[]): void => {
      told.push([name, ...of].join(' '));
    };
  const nudges = nudgesFor(() => ({
    reconciler: { nudge: tell('reconciler'), noteRest: tell('rest') },
    delivery: { loop: { nudge: tell('delivery') }, notices: { nudge: tell('notices') } },
    schedule: {
      questions: { nudge: tell('questions') },
      taskHandler: {
        moveStranded: () => {
          tell('stranded tasks')();
          return Promise.resolve();
        },
      },
    },
  }));
  nudges.container('s-1');
  nudges.delivery('s-2');
  nudges.questions('s-3');
  nudges.notices();
  nudges.schedule();
  nudges.rest();
  expect(told).toEqual([
    'reconciler s-1',
    'delivery s-2',
    'questions s-3',
    'notices',
    'stranded tasks',
    'rest',
  ]);
});
