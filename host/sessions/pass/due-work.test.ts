import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OpenInbound } from '../../../shared/protocol/mailbox/inbound-rows.js';
import { TempHome } from '../../../test/fakes/temp-home.js';
import type { Session } from '../../store/sessions.js';
import { planDueWork } from './due-work.js';

const yearMs = 365 * 86_400_000;

describe('the wake of a session whose container could not be started', () => {
  let home: TempHome;
  let session: Session;

  beforeEach(() => {
    home = new TempHome();
    session = home.addSession();
    const dueAt = home.clock.iso(10_000);
    home.store.dueItems.set({ sessionId: session.id, kind: 'wake', dueAt, attempts: 1 });
  });

  afterEach(() => {
    home[Symbol.dispose]();
  });

  function plan(processAfter: string | null): void {
    const row: OpenInbound = {
      id: 'm-1',
      seq: 2,
      status: 'pending',
      tries: 0,
      processAfter,
      kind: 'task',
      timestamp: home.clock.iso(),
      recurrence: null,
      timeZone: null,
      address: null,
    };
    planDueWork(home, session, { open: [row], hasProgress: false, deliverAt: undefined });
  }

  it('is put off while the message waits', () => {
    plan(null);
    expect(home.store.dueItems.find(session.id, 'wake')).toMatchObject({
      dueAt: home.clock.iso(10_000),
      attempts: 1,
    });
  });

  it('does not hold off what is said, once only something planned is left', () => {
    plan(home.clock.iso(yearMs));
    expect(home.store.dueItems.find(session.id, 'wake')).toMatchObject({
      dueAt: home.clock.iso(yearMs),
    });
    home.store.dueItems.advance(session.id, 'wake', home.clock.iso());
    expect(home.store.dueItems.find(session.id, 'wake')?.dueAt).toBe(home.clock.iso());
  });
});
