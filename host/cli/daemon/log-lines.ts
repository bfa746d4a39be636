/** Log lines as people read them. A line that is no JSON of ours is shown as it is. */
import { printable } from '../output/table.js';

interface LogEntry {
  readonly level: string;
  readonly time: string;
  readonly msg: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function parseEntry(line: string): LogEntry | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
    if (typeof level !== 'string' || typeof time !== 'string' || typeof msg !== 'string') {
      return undefined;
    }
    return { level, time, msg, fields };
  } catch {
    return undefined;
  }
}

/** `2026-01-31 12:00:00.000Z info  container started sessionId=s-1`: the Z says that it is UTC. */
export function formatLogLine(line: string): string {
  const entry = parseEntry(line);
  if (entry === undefined) return printable(line);
  const { level, time, msg, fields } = entry;
  const facts = Object.entries(fields).map(([name, value]) => ` ${name}=${describeValue(value)}`);
  const at = time.replace('T', ' ');
  return printable(`${at} ${level.padEnd(5)} ${msg}${facts.join('')}`);
}

/** When a line was written, in epoch milliseconds; undefined where it does not say. */
function findLogTime(line: string): number | undefined {
  const at = Date.parse(parseEntry(line)?.time ?? '');
  return Number.isNaN(at) ? undefined : at;
}

/** Leaves out what is older; a line without a time goes with the one before it. */
export function linesSince(lines: readonly string[], sinceMs: number): readonly string[] {
  let isNew = false;
  return lines.filter((line) => {
    const at = findLogTime(line);
    if (at !== undefined) isNew = at >= sinceMs;
    return isNew;
  });
}

function describeValue(value: unknown): string {
  if (typeof value === 'string') return /[\s"=]/.test(value) ? JSON.stringify(value) : value;
  if (isErrorEntry(value)) return JSON.stringify(value.message);
  return JSON.stringify(value);
}

function isErrorEntry(value: unknown): value is { readonly message: string } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'message' in value &&
    typeof value.message === 'string'
  );
}
