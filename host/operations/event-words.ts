/** Says in plain words what each event means. */
import type { EventDetail, EventName } from '../store/session-events.js';

/** A new event does not compile until it has its words. */
const words: Readonly<Record<EventName, string>> = {
  'session.created': 'The conversation began',
  'session.prewarmed': 'It was made ready, to wait for a conversation',
  'session.adopted': 'It was taken over from its folder: the central database did not know it',
  'session.taken': 'It got its conversation',
  'session.woken': 'It was woken',
  'session.slept': 'It went to sleep: it has no container until there is something to do',
  'session.completed': 'It ended by itself',
  'session.closed': 'It was ended',
  'session.reopened': 'It was taken into use again',
  'session.repaired': 'A file of it was repaired',
  'session.quarantined': 'It was taken out of use, because its files cannot be used',
  'session.removed': 'It was deleted',
  'question.asked': 'Its agent asked a question',
  'question.answered': 'A question of its agent was answered',
  'question.ended': 'A question of its agent ended without an answer',
  'message.refused': 'A message was not taken',
  'message.retried': 'A message is tried again',
  'message.failed': 'A message was given up',
  'reply.retried': 'A reply is sent again',
  'reply.failed': 'A reply was given up',
  'container.started': 'Its container was started',
  'container.adopted': 'Its container was taken over by the daemon that runs now',
  'container.ended': 'Its container ended',
  'container.failed': 'Its container could not be started',
};

/** A sentence without a time in it. */
export function describeEvent(name: EventName, { why, attempt }: EventDetail): string {
  const failures =
    attempt === undefined ? '' : ` (after ${attempt} ${attempt === 1 ? 'failure' : 'failures'})`;
  const said = `${words[name]}${failures}${why === undefined ? '' : `: ${why}`}`;
  return /[.!?…]$/u.test(said) ? said : `${said}.`;
}
