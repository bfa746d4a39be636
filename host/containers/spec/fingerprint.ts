/**
 * Says in one line, which the container carries, what it was started with, and finds what differs from that now. Pure.
 * A part that either side does not name is not compared: one side may be of another version, or could not find out.
 */

/** In the order in which a difference is told. */
const reasons = {
  paths: 'its home was moved',
  in: 'its session folder was replaced',
  out: 'its session folder was replaced',
  home: 'its own home folder was replaced',
  agent: "its agent group's folder was replaced",
  image: 'its image has changed',
  provider: 'its provider has changed',
  limits: 'its container config has changed',
  posture: 'this version lets containers do other things',
  user: 'it is to run as another user',
  runner: 'its settings have changed',
} as const;

export type FingerprintPart = keyof typeof reasons;

/** Values hold no spaces. Undefined: it could not be found out. */
export type Fingerprint = Readonly<Partial<Record<FingerprintPart, string | undefined>>>;

export interface Difference {
  /** Null where nothing is known of it: it is of a version that recorded nothing. */
  readonly part: FingerprintPart | null;
  /** A clause that a person understands. */
  readonly reason: string;
  /** Its work reaches nobody any more, so that there is no turn to wait for. */
  readonly isCutOff: boolean;
}

const parts = Object.keys(reasons) as FingerprintPart[];
const cutOff: ReadonlySet<FingerprintPart> = new Set(['paths', 'in', 'out']);
const version = 'v1';

export function formatFingerprint(fingerprint: Fingerprint): string {
  const named = parts.flatMap((part) => {
    const value = fingerprint[part];
    return value === undefined ? [] : [`${part}=${value}`];
  });
  return [version, ...named].join(' ');
}

/** `startedWith`: as formatted; null where the container carries none. */
export function findDifference(
  startedWith: string | null,
  now: Fingerprint,
  ignored: ReadonlySet<FingerprintPart> = new Set(),
): Difference | undefined {
  const before = startedWith === null ? undefined : parseFingerprint(startedWith);
  if (before === undefined) {
    return { part: null, reason: 'it was started by another version', isCutOff: false };
  }
  const part = parts.find((it) => {
    const [was, is] = [before.get(it), now[it]];
    return was !== undefined && is !== undefined && was !== is && !ignored.has(it);
  });
  if (part === undefined) return undefined;
  return { part, reason: reasons[part], isCutOff: cutOff.has(part) };
}

/** Undefined for one of another version of this format. */
function parseFingerprint(text: string): ReadonlyMap<string, string> | undefined {
  const [first, ...fields] = text.split(' ');
  if (first !== version) return undefined;
  return new Map(
    fields.map((field) => {
      const at = field.indexOf('=');
      return [field.slice(0, at), field.slice(at + 1)];
    }),
  );
}
