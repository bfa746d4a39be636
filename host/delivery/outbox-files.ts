/**
 * Files that a container wants to send. Paths are the container's word: a file is taken only when it is an ordinary
 * file inside the message's own outbox folder, and what is sent is a copy that the container cannot change.
 */
import { constants, createWriteStream } from 'node:fs';
import { mkdir, open, realpath, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { BerthError } from '../../shared/base/errors.js';
import { outboxDir } from '../../shared/protocol/workspace.js';
import type { OutboundFile } from '../channels/channel.js';

export interface OutboxFilesDeps {
  /** A session's out/ folder. */
  readonly outDir: (sessionId: string) => string;
  /** Where copies of a session's sent files lie; never mounted. */
  readonly sentDir: (sessionId: string) => string;
  readonly maxFileBytes: number;
}

/** Of one message: each is copied before it is sent. */
const maxFiles = 100;

export class OutboxFiles {
  readonly #deps: OutboxFilesDeps;

  constructor(deps: OutboxFilesDeps) {
    this.#deps = deps;
  }

  /** Copies the named files of a message. Throws file_refused, naming the file and why. */
  async take(
    sessionId: string,
    messageId: string,
    names: readonly string[],
  ): Promise<readonly OutboundFile[]> {
    if (names.length > maxFiles) {
      throw new BerthError('file_refused', `A message may carry ${maxFiles} files at the most.`);
    }
    const files: OutboundFile[] = [];
    for (const name of names) {
      if (name !== basename(name) || name === '.' || name === '..' || name === '') {
        throw refusal(name, 'it is not a plain file name');
      }
      const source = join(outboxDir(this.#deps.outDir(sessionId), parseId(messageId)), name);
      const target = join(this.#deps.sentDir(sessionId), parseId(messageId), name);
      await this.#copy(source, target, name);
      files.push({ name, path: target });
    }
    return files;
  }

  async #copy(source: string, target: string, name: string): Promise<void> {
    // O_NONBLOCK: a pipe in the file's place must not hold us up.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const handle = await open(source, flags).catch((error: unknown) => {
      throw refusal(name, 'it cannot be opened', error);
    });
    try {
      await this.#assertOwnFile(handle, source, name);
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      await pipeline(
        handle.createReadStream({ autoClose: false, end: this.#deps.maxFileBytes - 1 }),
        createWriteStream(target, { mode: 0o600 }),
      );
    } finally {
      await handle.close();
    }
  }

  /** What was opened must be what lies at the real path, and that must be the path asked for: no link on the way. */
  async #assertOwnFile(handle: FileHandle, source: string, name: string): Promise<void> {
    const opened = await handle.stat();
    if (!opened.isFile()) throw refusal(name, 'it is not an ordinary file');
    if (opened.size > this.#deps.maxFileBytes) {
      throw refusal(name, `it is longer than ${this.#deps.maxFileBytes} bytes`);
    }
    const real = await realpath(source);
    const outDir = await realpath(dirname(dirname(dirname(source))));
    const expected = join(outDir, 'outbox', basename(dirname(source)), basename(source));
    const there = await stat(real);
    if (real !== expected || there.ino !== opened.ino || there.dev !== opened.dev) {
      throw refusal(name, 'it lies behind a link');
    }
  }
}

/** Message ids of a container name a folder: nothing but a plain name will do. */
function parseId(messageId: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(messageId)) return messageId;
  throw refusal(messageId, 'the message id is not a plain name');
}

function refusal(name: string, why: string, cause?: unknown): BerthError {
  return new BerthError('file_refused', `The file ${JSON.stringify(name)} was not sent: ${why}.`, {
    cause,
  });
}
