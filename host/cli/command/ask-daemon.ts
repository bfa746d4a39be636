import { isoAt } from '../../../shared/base/clock.js';
import { BerthError, type ErrorCode } from '../../../shared/base/errors.js';
import { delay } from '../../../shared/base/lifecycle.js';
import type { Request } from '../../store/requests.js';
import type { CommandContext } from './command-context.js';
import { findDaemon } from './daemon-presence.js';
import { readStore, writeStore } from './store-access.js';

/** `later`: no daemon runs now; the next one does it. */
export type Answer =
  | { readonly kind: 'done'; readonly outcome: unknown }
  | { readonly kind: 'later'; readonly requestId: string };

const pollIntervalMs = 20;

/** Leaves a request for the daemon, and waits for its outcome when it runs. Throws what it failed with. */
export async function askDaemon(
  context: CommandContext,
  { kind, payload }: { readonly kind: string; readonly payload: unknown },
): Promise<Answer> {
  const { newId, clock } = context;
  const id = newId('q');
  const createdAt = isoAt(clock.now());
  writeStore(context, (store) => {
    store.requests.insert({ id, kind, payload: JSON.stringify(payload), createdAt });
  });
  return await awaitAnswer(context, id);
}

async function awaitAnswer(context: CommandContext, requestId: string): Promise<Answer> {
  for (;;) {
    // This is read first: a daemon that has just ended may have answered before.
    const isPresent = findDaemon(context.config.paths).kind === 'present';
    const request = readStore(context, (store) => store.requests.find(requestId));
    if (request !== undefined && request.status !== 'pending') return readAnswer(request);
    if (!isPresent) return { kind: 'later', requestId };
    await delay(pollIntervalMs);
  }
}

function readAnswer({ status, outcome }: Request): Answer {
  const value: unknown = JSON.parse(outcome ?? 'null');
  if (status === 'done') return { kind: 'done', outcome: value };
  const failure = value as { code?: ErrorCode; message: string; next?: string };
  const { code = 'invalid_input', message, next } = failure;
  throw new BerthError(code, message, next === undefined ? {} : { next });
}
