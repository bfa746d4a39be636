import { nudgesWith } from './nudges.js';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Adoption } from '../../host/sessions/adoption/adoption.js';
import { SessionRegistry } from '../../host/sessions/session-registry.js';
import { runnerConfigPath } from '../../shared/protocol/workspace.js';
import { TaskCheck } from '../../host/schedule/task-check.js';
import type { AgentGroup } from '../../host/store/agent-groups.js';
import type { Address } from '../../shared/protocol/session-message.js';
import { encodeContent } from '../../shared/protocol/session-message.js';
import { TempHome } from './temp-home.js';

export const hereAddress: Address = { channelType: 'fake', platformId: 'chat-1', threadId: null };

/** Folders of sessions beside a central.db that does not know all of them. */
export class AdoptionSetup extends TempHome {
  readonly remarks: string[] = [];
  readonly nudged: string[] = [];
  readonly sessions = new SessionRegistry(this);
  readonly agentGroup: AgentGroup = this.addAgentGroup({ name: 'Main', folder: 'main' });

  constructor() {
    super();
    mkdirSync(this.sessionsDir, { recursive: true });
  }

  /** The id of a session that was made then. */
  idAt(ms: number, suffix = '0000000000'): string {
    return `s-${(this.clock.now() + ms).toString(36)}${suffix}`;
  }

  /** A message reaches a session that has no row, as with a later central.db. */
  async say(
    sessionId: string,
    id: string,
    { address = hereAddress, ...more }: { address?: Address; at?: string; routing?: Address } = {},
  ): Promise<void> {
    const sender = { id: 'user-1' };
    const chat = { text: id, sender, mentioned: true, attachments: [] };
    await this.mailbox.post(sessionId, {
      routing: more.routing ?? address,
      row: {
        id,
        kind: 'chat',
        timestamp: this.clock.iso(),
        status: 'pending',
        processAfter: null,
        recurrence: null,
        address,
        content: encodeContent({ kind: 'chat', chat }),
      },
    });
  }

  async plan(sessionId: string, taskId: string, inMs: number): Promise<void> {
    const dueMs = this.clock.now() + inMs;
    await this.mailbox.post(sessionId, {
      routing: hereAddress,
      row: {
        id: `${taskId}-${dueMs.toString(36)}`,
        kind: 'task',
        timestamp: new Date(dueMs).toISOString(),
        status: 'pending',
        processAfter: new Date(dueMs).toISOString(),
        recurrence: '0 9 * * *',
        address: hereAddress,
        content: encodeContent({ kind: 'task', task: { text: 'water', timeZone: 'Asia/Tokyo' } }),
      },
    });
  }

  /** A container was started for it. */
  nameAgent(sessionId: string, { id, name }: Pick<AgentGroup, 'id' | 'name'>): void {
    const path = runnerConfigPath(this.folders.inDir(sessionId));
    mkdirSync(dirname(path), { recursive: true });
    const agentGroup = { id, name };
    writeFileSync(path, JSON.stringify({ protocol: 1, sessionId, agentGroup, provider: 'echo' }));
  }

  copyFolder(from: string, to: string): void {
    cpSync(join(this.sessionsDir, from), join(this.sessionsDir, to), { recursive: true });
  }

  /** Does what a start does, whose central.db was last written at that time. */
  async start(since: string = this.clock.iso(-1_000)): Promise<Adoption> {
    const { pending } = this.store.daemonState.findAdoption();
    this.store.daemonState.writeAdoption({ since, pending }, this.clock.iso());
    this.remarks.length = 0;
    const adoption = this.make();
    await adoption.begin();
    return adoption;
  }

  make(): Adoption {
    const taskCheck = new TaskCheck({ ...this.#own, restore: () => Promise.resolve() });
    return new Adoption({
      ...this.#own,
      folders: this.folders,
      sessions: this.sessions,
      newId: this.newId,
      log: this.log,
      sessionsDir: this.sessionsDir,
      waitMs: 10_000,
      defaultAgentFolder: 'main',
      wiresItself: (type) => type === 'open',
      status: {
        remark: (...sentences) => {
          this.remarks.push(...sentences);
        },
      },
      checkTasks: (sessionId) => taskCheck.repair(sessionId),
      nudges: nudgesWith({
        container: (sessionId) => {
          this.nudged.push(sessionId);
        },
      }),
    });
  }

  get #own(): Pick<TempHome, 'store' | 'mailbox' | 'clock'> {
    return { store: this.store, mailbox: this.mailbox, clock: this.clock };
  }
}
