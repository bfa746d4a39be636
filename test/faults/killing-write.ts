/** Ends a process by SIGKILL just before it writes to a file for the n-th time: in the middle of a commit. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';

/** Why processes cannot be killed at a write here; undefined where they can. */
export function whyNoTracing(): string | undefined {
  try {
    execFileSync('strace', ['-o', '/dev/null', process.execPath, '--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'strace is not installed, or may not trace here';
  }
}

/**
 * Resolves when strace is attached. `path`: as the process itself sees it. SQLite writes to the database only
 * after the journal is on disk, so the n-th write of one commit leaves a hot journal behind.
 */
export async function killAtWrite(
  pid: number,
  path: string,
  nth: number,
): Promise<{ readonly sprung: Promise<void> }> {
  const tracer = spawn(
    'strace',
    [
      ...['-f', '-p', String(pid), '-P', path, '-o', '/dev/null'],
      ...['-e', 'trace=write,pwrite64'],
      ...['-e', `inject=write,pwrite64:signal=SIGKILL:when=${nth}`],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const sprung = once(tracer, 'exit').then(() => undefined);
  const [said] = (await once(tracer.stderr, 'data')) as [Buffer];
  if (!said.includes('attached')) throw new Error(`strace: ${said.toString()}`);
  return { sprung };
}
