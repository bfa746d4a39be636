import type { Nudges } from '../sessions/nudges.js';
import type { DueItem, SharedDueKind } from '../store/due-items.js';

/** Hints to the parts of the daemon that take due work. */
export type DueHandlers = Pick<Nudges, 'delivery' | 'container' | 'questions'>;

/** A new kind does not compile until it has its handler. Upkeep finds by itself what there is to prune. */
const handlerOf: Readonly<Record<SharedDueKind, keyof DueHandlers>> = {
  deliver: 'delivery',
  wake: 'container',
  idle: 'container',
  stuck: 'container',
  question: 'questions',
};

/** Tells the part that takes work of this kind that a session has some. */
export function handleDue(item: DueItem<SharedDueKind>, handlers: DueHandlers): void {
  handlers[handlerOf[item.kind]](item.sessionId);
}
