/** Everything the reconciler can do. A new step does not compile until apply.ts can carry it out. */
export type Step =
  | { readonly kind: 'start'; readonly sessionId: string }
  /** Take over a running container that this daemon did not start. */
  | { readonly kind: 'adopt'; readonly sessionId: string; readonly containerId: string }
  | {
      readonly kind: 'stop';
      readonly sessionId: string;
      readonly containerId: string;
      readonly reason: string;
    }
  /** A container of this session has ended: see what it left behind. */
  | {
      readonly kind: 'settle';
      readonly sessionId: string;
      readonly wasExpected: boolean;
      /** Epoch milliseconds; null when the container is gone without a trace. */
      readonly startedAtMs: number | null;
    }
  | { readonly kind: 'remove'; readonly sessionId: string; readonly containerId: string };

export type StepKind = Step['kind'];
