import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BerthError } from '../../shared/base/errors.js';
import { inboundDbPath, outboundDbPath } from '../../shared/protocol/workspace.js';
import { ContainerSetup } from '../../test/fakes/container-setup.js';
import { until } from '../../test/fakes/waiting.js';
import type { Session } from '../store/sessions.js';

describe('a session whose file is damaged while its container runs', () => {
  let setup: ContainerSetup;
  let session: Session;

  beforeEach(async () => {
    setup = new ContainerSetup();
    session = await setup.addWaitingSession();
    setup.runnerOf(session.id);
    setup.store.sessions.touch(session.id, setup.clock.iso());
    setup.reconciler.start();
    await until(() => {
      expect(setup.containerStatus(session)).toBe('running');
    });
  });

  afterEach(async () => {
    await setup[Symbol.asyncDispose]();
  });

  it.each([
    ['inbound.db', () => inboundDbPath(setup.folders.inDir(session.id))],
    ['outbound.db', () => outboundDbPath(setup.folders.outDir(session.id))],
  ])('has it stopped, %s replaced, and another one started', async (file, pathOf) => {
    const path = pathOf();
    writeFileSync(path, 'no database');
    const order: string[] = [];
    setup.whenEnded = () => {
      order.push(`ended, ${setup.store.repairs.isWanted(session.id) ? 'damaged' : 'whole'}`);
    };
    setup.recovery?.report(
      session.id,
      new BerthError('database_corrupt', 'x', { facts: { path } }),
    );
    await until(() => {
      expect(setup.store.repairs.isWanted(session.id)).toBe(false);
    });
    expect(order).toEqual(['ended, damaged']);
    setup.clock.advance(2_000);
    await setup.post(session, 'm-2');
    setup.reconciler.nudge(session.id);
    await until(() => {
      expect(setup.runtime.starts).toHaveLength(2);
    });
    expect(setup.store.repairs.listForSession(session.id, 10)).toMatchObject([
      { file, action: 'replaced' },
    ]);
    expect(setup.store.sessions.find(session.id)?.status).toBe('active');
  });

  it('keeps its container when a commit is merely under way', async () => {
    const path = outboundDbPath(setup.folders.outDir(session.id));
    const facts = { path, sqlite: 'SQLITE_READONLY_ROLLBACK' };
    const error = new BerthError('database_unreadable', 'x', { facts });
    expect(setup.recovery?.report(session.id, error)).toBe(false);
    expect(setup.store.repairs.isWanted(session.id)).toBe(false);
    await Promise.resolve();
    expect(setup.containerStatus(session)).toBe('running');
  });
});
