/** The host's half of one session, for tests of the runner: writes inbound.db and reads outbound.db. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasCode } from '../../shared/base/errors.js';
import { delay } from '../../shared/base/lifecycle.js';
import { readMigrations } from '../../shared/base/sqlite/migrate.js';
import { InboundHandle } from '../../shared/protocol/mailbox/inbound-handle.js';
import { InboundWriter } from '../../shared/protocol/mailbox/inbound-writer.js';
import type { NewInboundRow } from '../../shared/protocol/mailbox/inbound-rows.js';
import { OutboundReader } from '../../shared/protocol/mailbox/outbound-reader.js';
import type { AckRecord } from '../../shared/protocol/mailbox/outbound-acks.js';
import {
  encodeContent,
  parseOutboundContent,
  type Address,
} from '../../shared/protocol/session-message.js';
import { inboundDbPath, outboundDbPath, type Workspace } from '../../shared/protocol/workspace.js';
import { settlementOf } from './settle-rows.js';

const inboundMigrations = readMigrations('migrations/inbound');
export const outboundMigrations = readMigrations('migrations/outbound');

export interface SeenReply {
  readonly inReplyTo: string | null;
  readonly text: string;
  readonly address: Address | null;
}

export const chatAddress: Address = { channelType: 'test', platformId: 'chat-1', threadId: null };

/** A pending chat message under the given id. */
export function chatRow(
  id: string,
  text: string,
  more: Partial<NewInboundRow> = {},
): NewInboundRow {
  const sender = { id: 'u-1' };
  const chat = { text, sender, mentioned: false, attachments: [] };
  return {
    id,
    kind: 'chat',
    timestamp: new Date().toISOString(),
    status: 'pending',
    processAfter: null,
    recurrence: null,
    address: chatAddress,
    content: encodeContent({ kind: 'chat', chat }),
    ...more,
  };
}

export class FakeHost {
  readonly #root = mkdtempSync(join(tmpdir(), 'berth-runner-'));
  readonly workspace: Workspace = {
    inDir: join(this.#root, 'in'),
    outDir: join(this.#root, 'out'),
    agentDir: join(this.#root, 'agent'),
    homeDir: join(this.#root, 'home'),
  };
  readonly #file = new InboundHandle(inboundDbPath(this.workspace.inDir));
  readonly #inbound = new InboundWriter(this.#file);
  readonly #outbound = new OutboundReader(outboundDbPath(this.workspace.outDir));

  /** Makes the folders and inbound.db. */
  async create(): Promise<void> {
    const { inDir, outDir, agentDir, homeDir } = this.workspace;
    for (const dir of [inDir, outDir, agentDir, homeDir]) mkdirSync(dir, { recursive: true });
    await this.write(() => {
      this.#file.create(inboundMigrations);
    });
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }

  post(...rows: readonly NewInboundRow[]): Promise<readonly string[]> {
    return this.write((inbound) =>
      inbound.append({ rows, outboundMaxSeq: this.#outbound.maxSeq() }),
    );
  }

  /** Like the daemon, tries again while the runner reads. */
  async write<T>(use: (inbound: InboundWriter) => T): Promise<T> {
    return patiently(() => use(this.#inbound));
  }

  async listReplies(): Promise<readonly SeenReply[]> {
    const rows = await patiently(() => this.#outbound.listAfter(0, 10_000));
    return rows.map(({ inReplyTo, channelType, platformId, threadId, kind, content }) => {
      const parsed = parseOutboundContent(kind, content ?? '');
      const isPost = parsed.kind === 'chat' && parsed.chat.operation === 'post';
      const hasAddress = channelType !== null && platformId !== null;
      return {
        inReplyTo,
        text: isPost ? parsed.chat.text : '',
        address: hasAddress ? { channelType, platformId, threadId } : null,
      };
    });
  }

  async listTexts(): Promise<readonly string[]> {
    return (await this.listReplies()).map(({ text }) => text);
  }

  async findAck(id: string): Promise<AckRecord | undefined> {
    return (await patiently(() => this.#outbound.findAcks([id]))).get(id);
  }

  async findStatus(id: string): Promise<string | undefined> {
    return (await this.findAck(id))?.status;
  }

  /** Puts a failed message back, as the daemon does. */
  async retry(id: string, processAfter = new Date().toISOString()): Promise<void> {
    await this.write((inbound) => {
      inbound.settle(settlementOf(inbound.listOpen(), [{ id, status: 'retry', processAfter }]));
    });
  }
}

async function patiently<T>(use: () => T): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return use();
    } catch (error) {
      if (!hasCode(error, 'database_busy') || attempt > 500) throw error;
    }
    await delay(2);
  }
}
