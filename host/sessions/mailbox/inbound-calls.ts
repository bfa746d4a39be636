/** Lists by name what the host does with one inbound.db: data in, data out, so that another thread can do it. */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { BerthError, errnoOf } from '../../../shared/base/errors.js';
import type { Migration } from '../../../shared/base/sqlite/migrate.js';
import { isThere } from '../../../shared/base/sqlite/sqlite.js';
import { touchMark } from '../../../shared/protocol/commit-mark.js';
import { InboundHandle } from '../../../shared/protocol/mailbox/inbound-handle.js';
import { postMarkPath } from '../../../shared/protocol/workspace.js';
import { InboundPruner, type OldDelivery, type SliceRequest } from './inbound-pruner.js';
import { InboundReopener } from '../../../shared/protocol/mailbox/inbound-reopener.js';
import {
  InboundWriter,
  type AppendRequest,
  type CancelRequest,
} from '../../../shared/protocol/mailbox/inbound-writer.js';
import type { NewDeliveryRecord } from '../../../shared/protocol/mailbox/inbound-rows.js';
import { summarizeInbound } from '../../../shared/protocol/mailbox/inbound-summary.js';
import type { InboundSettlement } from '../../../shared/protocol/mailbox/inbound-settlement.js';
import type { Address, Destination } from '../../../shared/protocol/session-message.js';

/** Holds one inbound.db and the three classes that use it. */
export class InboundFile {
  readonly handle: InboundHandle;
  readonly writer: InboundWriter;
  readonly pruner: InboundPruner;
  readonly reopener: InboundReopener;

  constructor(handle: InboundHandle) {
    this.handle = handle;
    this.writer = new InboundWriter(handle);
    this.pruner = new InboundPruner(handle);
    this.reopener = new InboundReopener(handle);
  }
}

export interface CreateRequest {
  readonly migrations: readonly Migration[];
  /** Messages wait in the session, or its agent has written: then the file was lost, and a fresh one would hide that. */
  readonly wasUsed: boolean;
}

export const inboundCalls = {
  /** Makes the file unless it is there. Throws database_missing where it was lost. */
  create: ({ handle }: InboundFile, request: CreateRequest) => {
    createUnlessThere(handle.path, request);
    wakeRunner(handle);
  },
  append: ({ writer, handle }: InboundFile, request: AppendRequest) => {
    const added = writer.append(request);
    wakeRunner(handle);
    return added;
  },
  project: (
    { writer, handle }: InboundFile,
    projection: { routing?: Address; destinations?: readonly Destination[] },
  ) => {
    if (existsSync(handle.path)) writer.project(projection);
  },
  listOpen: ({ writer }: InboundFile) => writer.listOpen(),
  settle: ({ writer, handle }: InboundFile, settlement: InboundSettlement) => {
    const open = writer.settle(settlement);
    if (concernsRunner(settlement)) wakeRunner(handle);
    return open;
  },
  cancelTask: ({ writer }: InboundFile, request: CancelRequest) => writer.cancelTask(request),
  summarize: ({ handle }: InboundFile) => handle.read(summarizeInbound),
  hasHistory: ({ writer }: InboundFile) => writer.hasHistory(),
  findStatus: ({ writer }: InboundFile, messageId: string) => writer.findStatus(messageId),
  findTexts: ({ writer }: InboundFile, messageIds: readonly string[]) =>
    writer.findTexts(messageIds),
  findAddresses: ({ writer }: InboundFile, messageIds: readonly string[]) =>
    writer.findAddresses(messageIds),
  findDeliveries: ({ writer }: InboundFile, messageOutIds: readonly string[]) =>
    writer.findDeliveries(messageOutIds),
  recordDeliveries: (
    { writer }: InboundFile,
    records: readonly NewDeliveryRecord[],
    forget: readonly string[],
    nowMs: number,
    wantsOpen = false,
  ) => writer.recordDeliveries(records, forget, nowMs, wantsOpen),
  findMessage: ({ reopener }: InboundFile, id: string) => reopener.findMessage(id),
  reopenMessage: (
    { reopener, handle }: InboundFile,
    id: string,
    tries: number,
    recurrence: string | null,
  ) => {
    reopener.reopenMessage(id, tries, recurrence);
    wakeRunner(handle);
  },
  isDeliveryGivenUp: ({ reopener }: InboundFile, messageOutId: string) =>
    reopener.isDeliveryGivenUp(messageOutId),
  reopenDelivery: ({ reopener }: InboundFile, messageOutId: string) =>
    reopener.reopenDelivery(messageOutId),
  pruneMessages: ({ pruner }: InboundFile, request: SliceRequest, kept: ReadonlySet<string>) =>
    pruner.pruneMessages(request, kept),
  cancelSurplusContext: ({ pruner }: InboundFile, limit: number) =>
    pruner.cancelSurplusContext(limit),
  listOldDeliveries: ({ pruner }: InboundFile, request: SliceRequest) =>
    pruner.listOldDeliveries(request),
  forgetDeliveries: ({ pruner }: InboundFile, deliveries: readonly OldDelivery[]) => {
    pruner.forgetDeliveries(deliveries);
  },
  findUnfinished: ({ pruner }: InboundFile, messageIds: readonly string[]) =>
    pruner.findUnfinished(messageIds),
  findSettledOut: ({ pruner }: InboundFile, messageOutIds: readonly string[]) =>
    pruner.findSettledOut(messageOutIds),
} as const;

export type InboundCalls = typeof inboundCalls;
export type InboundCallName = keyof InboundCalls;

/** The arguments after the file. */
export type InboundArgs<K extends InboundCallName> =
  Parameters<InboundCalls[K]> extends [InboundFile, ...infer Rest] ? Rest : never;

export type InboundResult<K extends InboundCallName> = ReturnType<InboundCalls[K]>;

/** Does what the host asks with inbound.db files; in the order of the calls. */
export interface InboundPort {
  /** Rejects with BerthError. */
  call<K extends InboundCallName>(
    path: string,
    name: K,
    args: InboundArgs<K>,
  ): Promise<InboundResult<K>>;
  /** Holds no handle on the file any more when it resolves. */
  release(path: string): Promise<void>;
}

/** A hint after a commit, which stays as it is where the hint fails: the runner finds it by polling. */
function wakeRunner({ path }: InboundHandle): void {
  try {
    touchMark(postMarkPath(dirname(path)));
  } catch {
    // As when the disk is full.
  }
}

/** A row is to be run at another time than before; what is final is none of the runner's business. */
function concernsRunner({ outcomes, following }: InboundSettlement): boolean {
  return following.length > 0 || outcomes.some(({ outcome }) => 'processAfter' in outcome);
}

/** Under another name first: a crash or a full disk in the middle leaves no half of a file behind. */
function createUnlessThere(path: string, { migrations, wasUsed }: CreateRequest): void {
  if (isThere(path)) return;
  if (wasUsed) throw new BerthError('database_missing', `${path} is gone.`, { facts: { path } });
  makeFolder(path);
  const draft = `${path}.new`;
  for (const leftover of [draft, `${draft}-journal`]) rmSync(leftover, { force: true });
  new InboundHandle(draft).create(migrations);
  renameSync(draft, path);
}

/** Something else stands in the folder's place, or it may not be made. */
function makeFolder(path: string): void {
  try {
    // The session's own folder lets others through, and shows them nothing.
    mkdirSync(dirname(dirname(path)), { recursive: true, mode: 0o711 });
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  } catch (cause) {
    const errno = errnoOf(cause) ?? '';
    const mayPass = ['EACCES', 'EPERM', 'EIO', 'ESTALE'].includes(errno);
    if (!mayPass && !['ENOTDIR', 'EEXIST', 'ELOOP'].includes(errno)) throw cause;
    throw new BerthError('database_unreadable', `The database ${path} cannot be made.`, {
      cause,
      facts: { path, errno, mayPass },
    });
  }
}
