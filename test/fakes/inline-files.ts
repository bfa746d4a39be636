/** The mailbox's two ports without their thread and process: the same calls, done at once. */
import { join } from 'node:path';
import type { Migration } from '../../shared/base/sqlite/migrate.js';
import { toBerthError } from '../../shared/base/errors.js';
import { InboundFiles } from '../../host/sessions/mailbox/inbound-files.js';
import type { InboundPort } from '../../host/sessions/mailbox/inbound-calls.js';
import { parseAnswer } from '../../host/sessions/reader/reader-answers.js';
import { OpenReaders } from '../../host/sessions/reader/open-readers.js';
import { runReaderCall } from '../../host/sessions/reader/reader-calls.js';
import type { OutboundPort } from '../../host/sessions/reader/reader-pool.js';

/** Opens, uses and closes for each call, so that a test may change files in between. */
export function inlineInbound(migrations: readonly Migration[]): InboundPort {
  const files = new InboundFiles({ migrations, maxOpen: 0 });
  return {
    call: async (path, name, args) => {
      await Promise.resolve();
      return files.run(path, name, args);
    },
    release: (path) => {
      files.release(path);
      return Promise.resolve();
    },
  };
}

/** `sessionsDir`: the working folder of the reader that it stands in for. */
export function inlineOutbound(sessionsDir: string): OutboundPort {
  const readers = new OpenReaders(0);
  return {
    ask: async (_sessionId, place, name, args) => {
      const whole = {
        ...place,
        path: join(sessionsDir, place.path),
        viewDir: place.viewDir === null ? null : join(sessionsDir, place.viewDir),
      };
      const here = args.map((arg) => placedBelow(sessionsDir, arg));
      return parseAnswer(name, await answer(() => runReaderCall(name, readers.at(whole), here)));
    },
  };
}

/** The files of a repair are told from the reader's working folder on. */
function placedBelow(sessionsDir: string, arg: unknown): unknown {
  if (typeof arg !== 'object' || arg === null || !('draft' in arg && 'copy' in arg)) return arg;
  const { copy, draft } = arg;
  return {
    ...arg,
    copy: typeof copy === 'string' ? join(sessionsDir, copy) : null,
    draft: join(sessionsDir, String(draft)),
  };
}

/** As the reader writes it. */
async function answer(work: () => unknown): Promise<string> {
  try {
    return JSON.stringify({ result: await work() });
  } catch (error) {
    const { code, message, facts } = toBerthError(error);
    return JSON.stringify({ failure: { code, message, facts } });
  }
}
