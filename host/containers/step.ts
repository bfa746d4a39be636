/** Everything the reconciler can do. A new step does not compile until apply.ts can carry it out. */
export type Step =
  /** `isPrewarmed`: only where there is room. */
  | { readonly kind: 'start'; readonly sessionId: string; readonly isPrewarmed: boolean }
  /** Take over a running container that this daemon did not start. */
  | { readonly kind: 'adopt'; readonly sessionId: string; readonly containerId: string }
  | {
      readonly kind: 'stop';
      readonly sessionId: string;
      readonly containerId: string;
      readonly reason: string;
      /** The messages that it works on count as a failed try, even where it gives it back while it stops. */
      readonly failsTurn: boolean;
    }
  /** A container of this session has ended: see what it left behind. */
  | {
      readonly kind: 'settle';
      readonly sessionId: string;
      readonly wasExpected: boolean;
      /** Why it has ended, where no step has stopped it; left out: it is found out. */
      readonly reason?: string;
      /** Epoch milliseconds; null when the container is gone without a trace. */
      readonly startedAtMs: number | null;
    }
  | { readonly kind: 'remove'; readonly sessionId: string; readonly containerId: string };

export type StepKind = Step['kind'];
