import { expect, it } from 'vitest';
import { dueKinds, type SharedDueKind } from '../store/due-items.js';
import { handleDue } from './due-handlers.js';

it('due work of each kind goes to the part that takes it', () => {
  const told: string[] = [];
  const handler = (name: string) => (sessionId: string) => {
    told.push(`${name} ${sessionId}`);
  };
  const handlers = {
    delivery: handler('delivery'),
    container: handler('container'),
    questions: handler('questions'),
  };
  const shared = Object.keys(dueKinds).filter((kind) => kind !== 'prune') as SharedDueKind[];
  for (const kind of shared) handleDue({ sessionId: kind, kind, dueAt: '', attempts: 0 }, handlers);
  expect(told).toEqual([
    'container wake',
    'delivery deliver',
    'container idle',
    'container stuck',
    'questions question',
  ]);
});
