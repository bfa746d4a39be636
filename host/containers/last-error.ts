/** The last error that a runner has said before it ended. Its log is the container's word: hostile until parsed. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { z } from 'zod';
import { errnoOf } from '../../shared/base/errors.js';

/** So much of a log's end is read, in bytes. */
const tailBytes = 32_768;
const maxLength = 200;

const lineSchema = z.object({
  level: z.string(),
  time: z.string().optional(),
  msg: z.string().optional(),
  err: z.object({ message: z.string() }).optional(),
});

/**
 * Returns one sentence without its full stop, at most 200 characters, without anything that may be a key. Undefined
 * where the log cannot be read, or tells of no error since `sinceMs` (epoch milliseconds).
 */
export async function findLastError(path: string, sinceMs: number): Promise<string | undefined> {
  const text = await readTail(path);
  return text === undefined ? undefined : parseLastError(text, sinceMs);
}

export function parseLastError(text: string, sinceMs: number): string | undefined {
  let crash: string | undefined;
  for (const line of text.split('\n').reverse()) {
    const entry = parseLine(line);
    if (entry === undefined) {
      crash ??= findCrash(line);
      continue;
    }
    // The lines before it are an earlier run's.
    if (Date.parse(entry.time ?? '') < sinceMs) break;
    // A crash comes after all that was logged.
    if (isError(entry)) return tidy(crash ?? entry.err?.message ?? entry.msg ?? '');
  }
  return crash === undefined ? undefined : tidy(crash);
}

function isError({ level }: z.infer<typeof lineSchema>): boolean {
  return level === 'error' || level === 'fatal';
}

function parseLine(line: string): z.infer<typeof lineSchema> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return lineSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** As Node prints what nobody has caught. */
function findCrash(line: string): string | undefined {
  return /^(?:Uncaught )?(?:\w*Error(?: \[\w+\])?|FATAL ERROR): (.+)/.exec(line)?.[1];
}

const secretWords =
  /\b(bearer|api[-_ ]?key|key|token|secret|password)\b["']?\s*[:= ]\s*["']?\S{6,}/giu;
/** Long, and of letters and digits mixed, without a slash: a path or a word is none. */
const secretLike = /(?<![\w/.-])(?=[\w-]*\d)(?=[\w-]*[a-z])[\w-]{24,}(?![\w/.-])/giu;

function tidy(message: string): string | undefined {
  const plain = message
    .replace(/[\p{C}\s]+/gu, ' ')
    .replace(secretWords, '$1 …')
    .replace(secretLike, '…')
    .trim()
    .replace(/\.+$/, '');
  const characters = Array.from(plain);
  if (characters.length === 0) return undefined;
  const isLong = characters.length > maxLength;
  return isLong
    ? `${characters
        .slice(0, maxLength - 1)
        .join('')
        .trimEnd()}…`
    : plain;
}

async function readTail(path: string): Promise<string | undefined> {
  let file;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const { size } = await file.stat();
    const from = Math.max(0, size - tailBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(tailBytes), 0, tailBytes, from);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  } finally {
    await file?.close();
  }
}
