/**
 * The reader process: opens and reads what containers have written, so that a file that keeps SQLite busy for ever, or
 * breaks it, costs this process and nothing else. A line of JSON on standard input is a request, a line on standard
 * output its answer. The process ends when its input does.
 */
import { readSync, writeFileSync, writeSync } from 'node:fs';
import { toBerthError } from '../../../shared/base/errors.js';
import { OpenReaders } from './open-readers.js';
import { runReaderCall, type ReaderCallName, type ReadPlace } from './reader-calls.js';

/** The first line: before anything is read, it gives away what it does not need. */
interface Settings {
  readonly folder: string;
  /** Null: it stays who it is. */
  readonly user: { readonly uid: number; readonly gid: number } | null;
}

interface Request {
  readonly name: ReaderCallName;
  readonly place: ReadPlace;
  readonly args: unknown[];
}

const chunk = Buffer.alloc(64 * 1024);
const maxOpen = 8;

/** Lines of standard input, read without an event loop: nothing else happens here. */
function* lines(): Generator<string> {
  let rest: Buffer = Buffer.alloc(0);
  for (;;) {
    const length = readSync(0, chunk);
    if (length === 0) return;
    rest = Buffer.concat([rest, chunk.subarray(0, length)]);
    for (let end = rest.indexOf(0x0a); end !== -1; end = rest.indexOf(0x0a)) {
      yield rest.toString('utf8', 0, end);
      rest = rest.subarray(end + 1);
    }
  }
}

function settleIn({ folder, user }: Settings): void {
  process.chdir(folder);
  // Where memory runs out, this process is the first to go.
  writeFileSync('/proc/self/oom_score_adj', '900');
  if (user === null) return;
  process.setgroups?.([]);
  process.setgid?.(user.gid);
  process.setuid?.(user.uid);
}

async function attempt(work: () => unknown): Promise<object> {
  try {
    return { result: (await work()) ?? null };
  } catch (error) {
    const { code, message, facts } = toBerthError(error);
    return { failure: { code, message, facts } };
  }
}

function say(answer: object): void {
  const bytes = Buffer.from(`${JSON.stringify(answer)}\n`);
  for (let done = 0; done < bytes.length;) done += writeSync(1, bytes, done);
}

async function main(): Promise<void> {
  const input = lines();
  const first = input.next();
  if (first.done === true) return;
  const settings = JSON.parse(first.value) as Settings;
  say(
    await attempt(() => {
      settleIn(settings);
    }),
  );
  const readers = new OpenReaders(maxOpen);
  for (const line of input) {
    const { name, place, args } = JSON.parse(line) as Request;
    say(await attempt(() => runReaderCall(name, readers.at(place), args)));
  }
}

void main();
