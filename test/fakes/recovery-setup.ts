import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assertSound } from '../../container/file-check.js';
import type { ReceivedMessage } from '../../host/store/messages/received-messages.js';
import type { Repair } from '../../host/store/repairs.js';
import type { Session } from '../../host/store/sessions.js';
import { damageMarkPath, inboundDbPath, outboundDbPath } from '../../shared/protocol/workspace.js';
import { DeliverySetup } from './delivery-setup.js';
import { FakeRunner } from './fake-runner.js';

const tornWriter = fileURLToPath(new URL('./torn-writer.ts', import.meta.url));

/** The damage that may happen to a file. */
export const damages: Readonly<Record<string, (path: string) => void>> = {
  'made empty': (path) => {
    truncateSync(path);
  },
  'cut off in the middle of a page': (path) => {
    truncateSync(path, 6_000);
  },
  'overwritten with something else': (path) => {
    writeFileSync(path, 'this was never a database, however long it may be'.repeat(200));
  },
  'damaged in its header': (path) => {
    const bytes = readFileSync(path);
    bytes.fill(0xa5, 0, 60);
    writeFileSync(path, bytes);
  },
  deleted: (path) => {
    rmSync(path);
  },
  'replaced by a folder': (path) => {
    rmSync(path);
    mkdirSync(join(path, 'with', 'something', 'in it'), { recursive: true });
  },
  'replaced by a link': (path) => {
    rmSync(path);
    symlinkSync('/etc/passwd', path);
  },
  'replaced by a pipe': (path) => {
    rmSync(path);
    execFileSync('mkfifo', [path]);
  },
};

/** A delivery whose sessions are repaired: a container ends at once when that is wanted. */
export class RecoverySetup extends DeliverySetup {
  readonly inboundPath = inboundDbPath(this.folders.inDir(this.session.id));
  readonly outboundPath = outboundDbPath(this.folders.outDir(this.session.id));

  constructor() {
    super();
    this.whenWanted = (sessionId) => {
      void this.delivery.loop.finish(sessionId, new Set()).catch(() => undefined);
    };
  }

  /** Takes messages as the router does: they are known to the central database too. */
  async take(...ids: string[]): Promise<void> {
    await this.post(this.session, ...ids);
    this.store.sessions.touch(this.session.id, this.clock.iso());
    for (const id of ids) this.store.received.insert(this.#received(id));
  }

  #received(messageId: string): ReceivedMessage {
    const { agentGroupId, id: sessionId } = this.session;
    return {
      messagingGroupId: this.chat.id,
      platformMessageId: `p-${messageId}`,
      messageId,
      verdicts: [{ agentGroupId, verdict: 'engaged', sessionId }],
      receivedAt: this.clock.iso(),
    };
  }

  /** The session's container has ended, and what it left is dealt with. */
  async end(session: Session = this.session): Promise<void> {
    await this.delivery.loop.finish(session.id, new Set());
  }

  /** The runner of another container. */
  nextRunner(): FakeRunner {
    return new FakeRunner(this.folders.outDir(this.session.id), this.clock);
  }

  /** Does what a runner does at its start: it checks whether both files are sound, and notes what is not. */
  async checkAsRunner(): Promise<void> {
    for (const path of [this.outboundPath, this.inboundPath]) {
      try {
        assertSound(path);
      } catch {
        writeFileSync(damageMarkPath(this.folders.outDir(this.session.id)), basename(path));
        await this.end();
      }
    }
  }

  repairs(): readonly Repair[] {
    return this.store.repairs.listForSession(this.session.id, 100);
  }

  /** `inbound.db replaced`, the newest first. */
  repairNames(): readonly string[] {
    return this.repairs().map(({ file, action }) => `${file} ${action}`);
  }

  /** Returns what was said in the chat about these messages. */
  toldAbout(): readonly (string | null)[] {
    return this.notices()
      .map(({ in_reply_to: id }) => id)
      .filter((id) => id !== null);
  }

  /** Answered and sent; answered and not sent yet; being worked on; waiting. */
  async haveAConversation(): Promise<void> {
    await this.take('sent', 'unsent', 'claimed', 'waiting');
    this.runner.claim('sent', 'unsent', 'claimed');
    this.runner.say('reply to sent', { inReplyTo: 'sent' });
    this.runner.complete('sent');
    await this.deliver();
    this.runner.say('reply to unsent', { inReplyTo: 'unsent' });
    this.runner.complete('unsent');
  }

  hasToldOfRepair(): boolean {
    return this.notices().some(({ id }) => id.startsWith('repaired-'));
  }

  /** A writer is killed in the middle of a commit. */
  async tear(path: string, table: 'messages_in' | 'messages_out'): Promise<void> {
    const child = spawn(process.execPath, ['--import', 'tsx', tornWriter, path, table], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    if (!existsSync(`${path}-journal`)) throw new Error(`${path} has no journal`);
  }
}
