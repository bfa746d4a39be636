import { ClockJumps } from '../../host/sessions/clock-jumps.js';
import { readFacts } from '../../host/sessions/pass/facts.js';
import { nextRun } from '../../host/sessions/tasks/recurrence.js';
import { Settlement, type SettledMessage } from '../../host/sessions/settlement/settlement.js';
import type { Session } from '../../host/store/sessions.js';
import type { FakeRunner } from './fake-runner.js';
import { nudgesWith } from './nudges.js';
import { TempHome } from './temp-home.js';

/** Sets up one session, its runner, and the settlement between them. Retries wait exactly their backoff. */
export class SettlingSetup extends TempHome {
  readonly settled: SettledMessage[] = [];
  readonly chat = this.addChat();
  readonly agentGroup = this.addAgentGroup({ containerConfig: '{"tries":3,"retryBaseMs":1000}' });
  readonly session: Session = this.addSession();
  readonly runner: FakeRunner = this.runnerOf(this.session.id);
  /** How long the daemon has been up; a test that moves it with the clock lets time pass, else it sets the clock. */
  uptimeMs = 0;
  readonly clockJumps = new ClockJumps({
    store: this.store,
    clock: this.clock,
    monotonicNow: () => this.uptimeMs,
    log: this.log,
  });
  settlement: Settlement = this.restart();

  /** Another daemon over the same files. */
  restart(): Settlement {
    this.settlement = new Settlement({
      store: this.store,
      mailbox: this.mailbox,
      clock: this.clock,
      clockJumps: this.clockJumps,
      chance: () => 0.5,
      log: this.log,
      onSettled: (message) => {
        this.settled.push(message);
      },
      nudges: nudgesWith(),
      nextRun,
      timeZone: 'Europe/Berlin',
    });
    return this.settlement;
  }

  /** Does what a pass of the delivery does with acks. */
  async pass(
    ended: 'running' | 'ended' = 'running',
    session = this.session,
    stoppedInTurn: ReadonlySet<string> = new Set(),
  ): Promise<void> {
    const now = this.store.sessions.find(session.id) ?? session;
    const request = { after: 0, limit: 1, asksForAll: true };
    const { acks, open = [] } = await readFacts(this.mailbox, session.id, request);
    const end = ended === 'ended' ? { stoppedFor: stoppedInTurn } : undefined;
    await this.settlement.settle(now, { acks, open }, end);
  }

  /** `pending 1 +5000`: status, tries, and how long until the next one in milliseconds. */
  describe(session = this.session): Readonly<Record<string, string>> {
    return Object.fromEntries(
      this.messagesIn(session.id).map(({ id, status, tries, process_after: after }) => {
        const wait = after === null ? '' : ` +${Date.parse(after) - this.clock.now()}`;
        return [id, `${status} ${tries}${wait}`] as const;
      }),
    );
  }

  /** Milliseconds until the session is due. */
  wakesIn(session = this.session): number | undefined {
    const wake = this.store.dueItems.find(session.id, 'wake');
    return wake === undefined ? undefined : Date.parse(wake.dueAt) - this.clock.now();
  }
}
