/**
 * Describes what an agent may try against the daemon with the files that it may write. Each file beside this one makes
 * one attempt, on the host's side of out/ and as the owner of that folder, so that a test needs no agent that means
 * harm.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A program that goes on until it is disposed of. */
export type Attempt = AsyncDisposable;

/** Puts bytes in the place of outbound.db in one step, and owned as the agent's files are. */
export function replaceOutbound(outDir: string, bytes: Buffer): void {
  const path = join(outDir, 'outbound.db');
  const draft = `${path}.draft`;
  const { uid, gid } = statSync(outDir);
  writeFileSync(draft, bytes);
  chownSync(draft, uid, gid);
  renameSync(draft, path);
  wake(path);
}

/** Says that a file has changed, as a commit would. */
export function wake(path: string): void {
  const now = new Date();
  utimesSync(path, now, now);
}

/**
 * Runs a Python program beside this file in out/ as the agent's user; for what Node has no call for. Paths are relative
 * to out/: the folders above it are closed to that user.
 */
export async function runPython(
  name: string,
  outDir: string,
  ...args: readonly string[]
): Promise<Attempt> {
  const script = fileURLToPath(new URL(name, import.meta.url));
  const { uid, gid } = statSync(outDir);
  const identity = process.getuid?.() === 0 ? { uid, gid } : {};
  const child = spawn('python3', ['-', ...args], {
    ...identity,
    cwd: outDir,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  // The agent's user may not be able to read this folder.
  child.stdin.end(readFileSync(script));
  // It says a line when it has begun.
  await Promise.race([
    once(child.stdout, 'data'),
    ended.then(() => Promise.reject(new Error(`${name} ended`))),
  ]);
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
