import type { Reconciler } from '../containers/reconciler.js';
import type { Delivery } from '../delivery/build-delivery.js';
import type { Schedule } from '../schedule/build-schedule.js';
import type { Nudges } from '../sessions/nudges.js';

/** The parts of the daemon that take hints. */
export interface Nudged {
  readonly reconciler: Pick<Reconciler, 'nudge' | 'noteRest'>;
  readonly delivery: {
    readonly loop: Pick<Delivery['loop'], 'nudge'>;
    readonly notices: Pick<Delivery['notices'], 'nudge'>;
  };
  readonly schedule: {
    readonly taskHandler: Pick<Schedule['taskHandler'], 'moveStranded'>;
    readonly questions: Pick<Schedule['questions'], 'nudge'>;
  };
}

/** `parts` is asked when a hint is given: parts that give hints are made before those that take them. */
export function nudgesFor(parts: () => Nudged): Nudges {
  return {
    container: (sessionId) => {
      parts().reconciler.nudge(sessionId);
    },
    delivery: (sessionId) => {
      parts().delivery.loop.nudge(sessionId);
    },
    questions: (sessionId) => {
      parts().schedule.questions.nudge(sessionId);
    },
    notices: () => {
      parts().delivery.notices.nudge();
    },
    schedule: () => {
      void parts().schedule.taskHandler.moveStranded();
    },
    rest: () => {
      parts().reconciler.noteRest();
    },
  };
}
