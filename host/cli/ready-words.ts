export interface ReadyFacts {
  readonly pid: number;
  readonly runtime: string | null;
  /** What is to be said aloud, if anything. */
  readonly remark: string | null;
  readonly socket: string;
}

/** One line, and a second one for the remark. */
export function describeReady({ pid, runtime, remark, socket }: ReadyFacts): string {
  const ready = `Ready: pid ${pid}, runtime ${runtime ?? 'unknown'}, socket ${socket}`;
  return remark === null ? ready : `${ready}\n${remark}`;
}
