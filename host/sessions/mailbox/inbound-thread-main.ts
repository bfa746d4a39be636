/** A thread of the daemon that waits for the disk, so that the event loop does not: it alone uses the inbound.db files. */
import { parentPort, workerData } from 'node:worker_threads';
import { toBerthError } from '../../../shared/base/errors.js';
import { withDatabase } from '../../../shared/base/sqlite/sqlite.js';
import { InboundFiles } from './inbound-files.js';
import type { PutRight, ThreadAnswer, ThreadRequest, ThreadSettings } from './inbound-thread.js';

const settings = workerData as ThreadSettings;
const port = parentPort;
const files = new InboundFiles({
  ...settings,
  onPutRight: (path, changes) => port?.postMessage({ path, changes } satisfies PutRight),
});

/** Files that nobody has used for a while are closed. */
const idleCheck = setTimeout(() => {
  files.releaseAll();
}, settings.idleMs);

port?.on('message', (request: ThreadRequest) => {
  idleCheck.refresh();
  port.postMessage(answer(request));
});

function answer({ id, path, name, args }: ThreadRequest): ThreadAnswer {
  const beganAt = performance.now();
  try {
    if (name === 'release') {
      files.release(path);
      return { id, ms: 0, result: undefined };
    }
    if (name === 'checkpoint') {
      checkpoint(path);
      return { id, ms: performance.now() - beganAt, result: undefined };
    }
    const result: unknown = files.run(path, name, args as never);
    return { id, ms: performance.now() - beganAt, result };
  } catch (error) {
    const { code, message, next, facts } = toBerthError(error);
    return { id, ms: performance.now() - beganAt, failure: { code, message, next, facts } };
  }
}

/** Waits for no reader and no writer, and keeps none waiting. Source: sqlite.org/pragma.html#pragma_wal_checkpoint. */
function checkpoint(path: string): void {
  withDatabase(path, { mode: 'write', busyTimeoutMs: 0 }, (db) => {
    db.pragma('wal_checkpoint(PASSIVE)');
  });
}
