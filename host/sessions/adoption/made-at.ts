import { lstat } from 'node:fs/promises';

/** When a session was made, in epoch milliseconds: its id begins with it. Undefined for other names. */
export function madeAtMs(sessionId: string): number | undefined {
  const time = /^s-([0-9a-z]{8})[0-9a-f]{10}$/.exec(sessionId)?.[1];
  return time === undefined ? undefined : Number.parseInt(time, 36);
}

/** When the newest of these files was written, in epoch milliseconds; 0 where there is none. */
export async function writtenAtMs(...paths: readonly string[]): Promise<number> {
  const times = await Promise.all(
    paths.map((path) =>
      lstat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    ),
  );
  return Math.max(0, ...times);
}
