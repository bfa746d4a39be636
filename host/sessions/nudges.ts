/**
 * Hints from one part of the daemon to another that there may be something to do. Each reads for itself what that is, so
 * a hint that comes twice or for nothing costs a pass, and one that is lost costs time until the next poll. Giving one
 * never throws and never waits.
 */
export interface Nudges {
  /** A session may need a container, or its container a change. */
  readonly container: (sessionId: string) => void;
  /** A session may have replies to be sent, or messages to be settled. */
  readonly delivery: (sessionId: string) => void;
  /** A question of a session may have ended. */
  readonly questions: (sessionId: string) => void;
  /** The daemon itself has something to say in a chat. */
  readonly notices: () => void;
  /** Planned tasks may have lost their session. Due times need no hint: their table tells the schedule of each. */
  readonly schedule: () => void;
  /** A turn has been settled: its container may make room for another, or be replaced. */
  readonly rest: () => void;
}
