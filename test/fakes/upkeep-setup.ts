import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { Pruning, type PruningDeps } from '../../container/pruning.js';
import { Upkeep } from '../../host/sessions/retention/upkeep.js';
import type { Session } from '../../host/store/sessions.js';
import { InboundReader } from '../../shared/protocol/mailbox/inbound-reader.js';
import { findPruneOrder } from '../../shared/protocol/prune-order.js';
import { OutboundPruner } from '../../shared/protocol/mailbox/outbound-pruner.js';
import {
  inboxDir,
  inboundDbPath,
  outboundDbPath,
  outboxDir,
} from '../../shared/protocol/workspace.js';
import { DeliverySetup } from './delivery-setup.js';
import { until } from './waiting.js';
import { setStatus } from './session-rows.js';

const dayMs = 86_400_000;

/** More slices than any test's file has. */
const enoughRests = 200;

/** A session with its delivery, and what keeps it from growing without end. Its clock begins at the real time, as files do. */
export class UpkeepSetup extends DeliverySetup {
  readonly trashDir = join(this.sessionsDir, '.trash');

  constructor() {
    super();
    this.clock.advance(Date.now() - this.clock.now());
  }

  advanceDays(days: number): void {
    this.clock.advance(days * dayMs);
    this.uptimeMs += days * dayMs;
  }

  /** Makes one message and its answer, sent and settled. */
  async exchange(id: string): Promise<void> {
    await this.post(this.session, id);
    this.runner.claim(id);
    this.runner.say(`answer to ${id}`, { id: `o-${id}`, inReplyTo: id });
    this.runner.complete(id);
    await this.deliver();
  }

  /** The host's half: goes through every session, whether it is due or not, until nothing is left to do. */
  async upkeep(): Promise<void> {
    for (const { id } of this.store.sessions.list()) this.planPrune(id);
    const upkeep = this.newUpkeep();
    upkeep.start();
    await until(() => {
      expect(this.store.dueItems.listDuePrunes(this.clock.iso(), 1)).toEqual([]);
      expect(existsSync(this.trashDir) ? readdirSync(this.trashDir) : []).toEqual([]);
    });
    await upkeep.stop();
  }

  newUpkeep(): Upkeep {
    return new Upkeep({
      store: this.store,
      mailbox: this.mailbox,
      folders: this.folders,
      trashDir: this.trashDir,
      logPath: (sessionId) => this.logPath(sessionId),
      clock: this.clock,
      log: this.log,
      pollIntervalMs: 600_000,
      pauseMs: 0,
      clockJumps: this.clockJumps,
    });
  }

  planPrune(sessionId: string): void {
    const dueAt = this.clock.iso();
    this.store.dueItems.set({ sessionId, kind: 'prune', dueAt, attempts: 0 });
  }

  /** The runner's half, as after a start of the container. */
  runnerPrunes(keptMessageIds: string[] = [], keepMessagesDays = 365): void {
    const before = this.clock.iso(-keepMessagesDays * 86_400_000);
    this.runnerObeys(() => ({ before, keptMessageIds }));
  }

  /** As runnerPrunes, by what the host has said last. */
  runnerObeys(
    findOrder: PruningDeps['findOrder'] = () => findPruneOrder(this.folders.inDir(this.session.id)),
  ): void {
    const pruning = new Pruning({
      inbound: new InboundReader(inboundDbPath(this.folders.inDir(this.session.id))),
      outbound: new OutboundPruner(outboundDbPath(this.folders.outDir(this.session.id))),
      findOrder,
      clock: this.clock,
      quietMs: -1,
      pauseMs: -1,
      nudge: () => undefined,
      log: this.log,
    });
    for (let rest = 0; rest < enoughRests; rest += 1) pruning.rest();
    pruning.stop();
  }

  inboxFile(messageId: string): string {
    return touch(join(inboxDir(this.folders.inDir(this.session.id), messageId), 'photo.jpg'));
  }

  outboxFile(messageId: string): string {
    return touch(join(outboxDir(this.folders.outDir(this.session.id), messageId), 'chart.png'));
  }

  sentFile(messageId: string): string {
    const sent = join(this.folders.folderOf(this.session.id), 'sent', messageId);
    return touch(join(sent, 'chart.png'));
  }

  logPath(sessionId: string): string {
    return join(this.root, 'data', 'logs', `${sessionId}.log`);
  }

  setSession(
    fields: Partial<Pick<Session, 'status' | 'containerStatus'>>,
    id = this.session.id,
  ): void {
    const { status, containerStatus } = fields;
    if (status !== undefined) setStatus(this.store, id, status, null);
    if (containerStatus !== undefined) this.store.sessions.setContainerStatus(id, containerStatus);
  }

  /** Ids of messages_out. */
  messagesOut(): readonly string[] {
    return this.outbound(this.session.id, (db) =>
      db.prepare<[], string>('SELECT id FROM messages_out ORDER BY seq').pluck().all(),
    );
  }

  acks(): readonly string[] {
    return this.outbound(this.session.id, (db) =>
      db.prepare<[], string>('SELECT message_id FROM processing_ack ORDER BY 1').pluck().all(),
    );
  }

  messageIds(): readonly string[] {
    return this.messagesIn(this.session.id).map(({ id }) => id);
  }
}

function touch(path: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, 'x');
  return path;
}
