import type { CommandContext } from '../command/command-context.js';
import { findInstallZone } from '../command/install-time-zone.js';
import { performNow } from '../command/perform.js';
import { describeLocal } from '../command/time-words.js';
import { formatTable } from '../output/table.js';

export interface EventsOptions {
  readonly limit: number;
  readonly after?: number;
}

/** Prints what happened to one session, or to all and to what belongs to none. */
export function printEvents(
  context: CommandContext,
  session: string | undefined,
  { limit, after }: EventsOptions,
): void {
  const zone = findInstallZone(context).name;
  const events = performNow(context, 'sessions.events', {
    ...(session === undefined ? {} : { session }),
    ...(after === undefined ? {} : { after }),
    limit,
  });
  context.output.result(events, (width) =>
    formatTable(
      [
        { title: 'seq', value: ({ seq }) => `${seq}`, whole: true },
        { title: `time (${zone})`, value: ({ at }) => describeLocal(at, zone), whole: true },
        { title: 'event', value: ({ name }) => name, whole: true },
        {
          title: 'about',
          value: ({ messageId, sessionId }) =>
            (session === undefined ? sessionId : null) ?? messageId ?? '-',
        },
        { title: 'what', value: ({ what }) => what, below: true },
      ],
      events,
      width,
      'Nothing has happened yet, or it was forgotten.',
    ),
  );
}
