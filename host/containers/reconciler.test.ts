import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BerthError } from '../../shared/base/errors.js';
import { runnerConfigSchema } from '../../shared/protocol/runner-config.js';
import { ContainerSetup } from '../../test/fakes/container-setup.js';
import { settled, until } from '../../test/fakes/waiting.js';

const away = new BerthError('engine_unreachable', 'No container engine answers.');

describe('the reconciler', () => {
  let setup: ContainerSetup;

  beforeEach(() => {
    setup = new ContainerSetup();
  });

  afterEach(async () => {
    await setup[Symbol.asyncDispose]();
  });

  /** Resolves when the containers have been listed once more, and all passes after it are over. */
  async function resync(): Promise<void> {
    const { lists } = setup.runtime;
    setup.reconciler.nudgeAll();
    await until(() => {
      expect(setup.runtime.lists).toBeGreaterThan(lists);
    });
    await settled();
  }

  it('starts one container for a session, however often it is nudged', async () => {
    const session = await setup.addWaitingSession();
    const release = setup.runtime.holdStarts();
    setup.reconciler.start();
    for (let nudges = 0; nudges < 20; nudges += 1) setup.reconciler.nudge(session.id);
    await until(() => {
      expect(setup.runtime.starts).toHaveLength(1);
    });
    expect(setup.containerStatus(session)).toBe('starting');
    for (let nudges = 0; nudges < 20; nudges += 1) setup.reconciler.nudge(session.id);
    release();
    await until(() => {
      expect(setup.containerStatus(session)).toBe('running');
    });
    await resync();
    expect(setup.runtime.starts).toHaveLength(1);
    expect(setup.running).toEqual([session.id]);
    expect(setup.runtime.followed).toEqual([]);
  });

  it('starts a session’s container with its own folders and the settings of its runner', async () => {
    const session = await setup.addWaitingSession();
    setup.reconciler.start();
    await until(() => {
      expect(setup.containerStatus(session)).toBe('running');
    });
    const [spec] = setup.runtime.starts;
    expect(spec).toMatchObject({
      name: `berth-install-${session.id}`,
      owner: { installId: 'install', sessionId: session.id, agentGroupId: setup.agentGroup.id },
      posture: { user: '1000:1000', network: 'none' },
    });
    expect(spec?.workspace.inDir).toBe(setup.folders.inDir(session.id));
    const json = readFileSync(join(spec!.workspace.inDir, 'runner.json'), 'utf8');
    expect(runnerConfigSchema.parse(JSON.parse(json))).toMatchObject({
      sessionId: session.id,
      provider: { name: 'echo', options: {} },
    });
  });

  it('starts sessions side by side, and no more at once than the engine can do', async () => {
    const release = setup.runtime.holdStarts();
    for (let count = 0; count < 7; count += 1) await setup.addWaitingSession();
    setup.reconciler.start();
    await until(() => {
      expect(setup.runtime.starts).toHaveLength(4);
    });
    await settled();
    expect(setup.runtime.starts).toHaveLength(4);
    release();
    await until(() => {
      expect(setup.runtime.starts).toHaveLength(7);
    });
  });

  it('starts nothing for a session that has nothing to do', async () => {
    const session = setup.addSession();
    setup.reconciler.start();
    await resync();
    setup.reconciler.nudge(session.id);
    await settled();
    expect(setup.runtime.starts).toEqual([]);
  });

  it('starts nothing before it knows what runs', async () => {
    const session = await setup.addWaitingSession();
    const release = setup.runtime.holdLists();
    setup.runtime.put(session.id);
    setup.reconciler.start();
    setup.reconciler.nudge(session.id);
    await settled();
    expect(setup.runtime.starts).toEqual([]);
    release();
    await until(() => {
      expect(setup.containerStatus(session)).toBe('running');
    });
    expect(setup.runtime.starts).toEqual([]);
  });

  it('adopts what an earlier daemon has started, and follows its output', async () => {
    const session = setup.addSession({ containerStatus: 'running' });
    const containerId = setup.runtime.put(session.id);
    setup.reconciler.start();
    await until(() => {
      expect(setup.running).toEqual([session.id]);
    });
    expect(setup.runtime.followed).toEqual([containerId]);
    await resync();
    expect(setup.running).toEqual([session.id]);
    expect(setup.runtime.stopped).toEqual([]);
  });

  it('removes containers whose session is unknown, closed or quarantined', async () => {
    const closed = setup.addSession({ status: 'closed', containerStatus: 'running' });
    const quarantined = setup.addSession({ status: 'set-aside', containerStatus: 'running' });
    const orphan = { installId: 'install', sessionId: 's-gone', agentGroupId: 'ag-gone' };
    const ids = [
      setup.runtime.put(closed.id),
      setup.runtime.put(quarantined.id),
      setup.runtime.put('s-gone', {}, orphan),
      setup.runtime.put('s-gone', { state: 'exited' }, orphan),
    ];
    setup.reconciler.start();
    await until(() => {
      expect(setup.runtime.removed.toSorted()).toEqual(ids);
    });
    expect(setup.runtime.stopped.toSorted()).toEqual(ids.slice(0, 3));
    expect(setup.containerStatus(closed)).toBe('stopped');
    expect(setup.containerStatus(quarantined)).toBe('stopped');
    expect(setup.runtime.starts).toEqual([]);
  });

  it('settles what an ended container left before the next one starts', async () => {
    const session = await setup.addWaitingSession();
    setup.reconciler.start();
    await until(() => {
      expect(setup.containerStatus(session)).toBe('running');
    });
    await setup.post(session, 'm-2');
    const runner = setup.runnerOf(session.id);
    runner.claim(`m-of-${session.id}`);
    const startsThen: number[] = [];
    setup.whenEnded = (): void => {
      startsThen.push(setup.runtime.starts.length);
    };
    setup.clock.advance(60_000);
    setup.runtime.exit(session.id);
    await until(() => {
      expect(setup.runtime.starts).toHaveLength(2);
    });
    expect(startsThen).toEqual([1]);
    expect(setup.describe(session)).toEqual({
      [`m-of-${session.id}`]: 'pending 1 +1000',
      'm-2': 'pending 0',
    });
    await until(() => {
      expect(setup.runtime.removed).toEqual(['c-1']);
      expect(setup.runtime.running(session.id)).toEqual(['c-2']);
    });
  });

  it('deals with a container that is gone without a trace', async () => {
    const session = await setup.addWaitingSession();
    setup.reconciler.start();
    await until(() => {
      expect(setup.containerStatus(session)).toBe('running');
    });
    setup.runnerOf(session.id).claim(`m-of-${session.id}`);
    setup.runtime.vanish(session.id);
    await resync();
    await until(() => {
      expect(setup.ended).toEqual([session.id]);
    });
    expect(setup.containerStatus(session)).toBe('stopped');
    expect(setup.describe(session)).toEqual({ [`m-of-${session.id}`]: 'pending 1 +1000' });
    setup.clock.advance(1_000);
    setup.reconciler.nudge(session.id);
    await until(() => {
      expect(setup.runtime.starts).toHaveLength(2);
    });
  });

  it('starts no second container on the word of a listing from before the first', async () => {
    setup.reconciler.start();
    await resync();
    const release = setup.runtime.holdLists();
    setup.reconciler.nudgeAll();
    const { lists } = setup.runtime;
    await until(() => {
      expect(setup.runtime.lists).toBeGreaterThan(lists);
    });
    const session = await setup.addWaitingSession();
    setup.reconciler.nudge(session.id);
    await until(() => {
      expect(setup.containerStatus(session)).toBe('running');
    });
    release();
    await settled();
    setup.reconciler.nudge(session.id);
    await settled();
    expect(setup.runtime.starts).toHaveLength(1);
    expect(setup.ended).toEqual([]);
    expect(setup.containerStatus(session)).toBe('running');
  });

  it('does not settle what could not be written down, and tries again', async () => {
    const session = await setup.addWaitingSession();
    setup.reconciler.start();
    await until(() => {
      expect(setup.containerStatus(session)).toBe('running');
    });
    setup.runnerOf(session.id).claim(`m-of-${session.id}`);
    setup.whenEnded = (): never => {
      throw away;
    };
    setup.runtime.exit(session.id);
    await until(() => {
      expect(setup.logLines.join('')).toContain('step failed');
    });
    expect(setup.runtime.starts).toHaveLength(1);
    setup.whenEnded = (): void => undefined;
    await resync();
    await until(() => {
      expect(setup.runtime.removed).toEqual(['c-1']);
    });
    expect(setup.describe(session)).toEqual({ [`m-of-${session.id}`]: 'pending 1 +1000' });
  });
});
