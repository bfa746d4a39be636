import type { DueItem, SharedDueKind } from '../store/due-items.js';

interface Nudgeable {
  nudge(sessionId: string): void;
}

/** Parts of the daemon that take due work. */
export interface DueHandlers {
  readonly delivery: Nudgeable;
  readonly containers: Nudgeable;
}

/** A new kind does not compile until it has its handler. Upkeep finds by itself what there is to prune. */
const handlerOf: Readonly<Record<SharedDueKind, keyof DueHandlers>> = {
  deliver: 'delivery',
  wake: 'containers',
  idle: 'containers',
  stuck: 'containers',
};

/** Tells the part that takes work of this kind that a session has some. */
export function handleDue(item: DueItem<SharedDueKind>, handlers: DueHandlers): void {
  handlers[handlerOf[item.kind]].nudge(item.sessionId);
}
