import { rmSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chatAddress, chatRow, FakeHost, outboundMigrations } from '../test/fakes/fake-host.js';
import { systemClock } from '../shared/base/clock.js';
import type { BerthError } from '../shared/base/errors.js';
import { newId } from '../shared/base/ids.js';
import { delay } from '../shared/base/lifecycle.js';
import { silentLogger } from '../shared/base/logger.js';
import { openDatabase, withDatabase } from '../shared/base/sqlite/sqlite.js';
import { InboundReader } from '../shared/protocol/mailbox/inbound-reader.js';
import { OutboundWriter } from '../shared/protocol/mailbox/outbound-writer.js';
import { heartbeatPath, inboundDbPath, outboundDbPath } from '../shared/protocol/workspace.js';
import { Intake } from './intake.js';
import { EchoProvider } from './providers/echo-provider.js';
import type { AgentPort, Provider, Reply, TurnInput, TurnResult } from './providers/provider.js';
import { Runner, type RunnerDeps } from './runner.js';
import { until } from '../test/fakes/waiting.js';

describe('the runner', () => {
  let host: FakeHost;
  const runners: Runner[] = [];
  const fatals: BerthError[] = [];

  beforeEach(async () => {
    host = new FakeHost();
    await host.create();
  });

  afterEach(async () => {
    await Promise.all(runners.splice(0).map((runner) => runner.stop(0)));
    fatals.length = 0;
    host.remove();
  });

  const echo = new EchoProvider({
    prefix: 'echo: ',
    heartbeatIntervalMs: 10,
    exit: () => {
      throw new Error('exit');
    },
    clock: systemClock,
  });

  /** Without nudges a poll comes every 30 s: what is fast in these tests is so by file events and timers. */
  function startRunner(
    provider: Provider = echo,
    config: Partial<RunnerDeps['config']> = {},
  ): Runner {
    const runner = new Runner({
      workspace: host.workspace,
      config: {
        batchSize: 5,
        pollIntervalMs: 30_000,
        heartbeatIntervalMs: 10,
        ...config,
      },
      migrations: outboundMigrations,
      provider,
      clock: systemClock,
      newId,
      log: silentLogger,
      writePatienceMs: 5_000,
      pruneQuietMs: 50,
      onFatal: (error) => fatals.push(error),
    });
    runner.start();
    runners.push(runner);
    return runner;
  }

  /** Answers each turn when it is told to, or fails it. */
  class HeldProvider implements Provider {
    readonly turns: {
      readonly ids: readonly string[];
      readonly context: readonly string[];
      readonly control: AgentPort;
      readonly finish: () => void;
      readonly fail: (reason: string) => void;
    }[] = [];

    runTurn(turn: TurnInput, control: AgentPort): Promise<TurnResult> {
      return new Promise((resolve, reject) => {
        const ids = turn.messages.map(({ id }) => id);
        this.turns.push({
          ids,
          context: turn.context.map(({ id }) => id),
          control,
          finish: () => {
            resolve({ replies: ids.map((id) => reply(id, `to ${id}`)), failures: [] });
          },
          fail: (reason) => {
            reject(new Error(reason));
          },
        });
      });
    }

    async next(count: number): Promise<HeldProvider['turns'][number]> {
      await until(() => {
        expect(this.turns).toHaveLength(count);
      });
      return this.turns[count - 1]!;
    }
  }

  function reply(inReplyTo: string | null, text: string): Reply {
    return { inReplyTo, content: { kind: 'chat', chat: { operation: 'post', text, files: [] } } };
  }

  async function expectStatus(id: string, status: string | undefined): Promise<void> {
    await until(async () => {
      expect(await host.findStatus(id)).toBe(status);
    });
  }

  function expectTexts(...texts: string[]): Promise<void> {
    return until(async () => {
      expect(await host.listTexts()).toEqual(texts);
    });
  }

  describe('a runner', () => {
    it('answers what is there at its start and what comes later, and acks it', async () => {
      await host.post(chatRow('m-1', 'one'));
      startRunner();
      await expectStatus('m-1', 'completed');
      await host.post(chatRow('m-2', 'two'));
      await expectStatus('m-2', 'completed');
      expect(await host.listReplies()).toEqual([
        { inReplyTo: 'm-1', text: 'echo: one', address: chatAddress },
        { inReplyTo: 'm-2', text: 'echo: two', address: chatAddress },
      ]);
    });

    it('waits for an inbound.db that is not there yet', async () => {
      rmSync(inboundDbPath(host.workspace.inDir));
      startRunner();
      await host.create();
      await host.post(chatRow('m-1', 'one'));
      await expectTexts('echo: one');
    });

    it('polls where nothing can be watched', async () => {
      rmSync(host.workspace.inDir, { recursive: true });
      startRunner(echo, { pollIntervalMs: 10 });
      await host.create();
      await host.post(chatRow('m-1', 'one'));
      await expectTexts('echo: one');
    });

    it('waits for a commit that is under way, and no longer', async () => {
      startRunner();
      const path = inboundDbPath(host.workspace.inDir);
      const db = openDatabase(path, { mode: 'write', busyTimeoutMs: 1_000 });
      db.exec('BEGIN EXCLUSIVE');
      const { id, kind, timestamp, content } = chatRow('m-1', 'one');
      db.prepare(
        'INSERT INTO messages_in (id, seq, kind, timestamp, content) VALUES (?, 2, ?, ?, ?)',
      ).run(id, kind, timestamp, content);
      await delay(30);
      expect(await host.findStatus('m-1')).toBeUndefined();
      db.exec('COMMIT');
      db.close();
      await expectTexts('echo: one');
    });

    it('goes on when the host has dealt with a journal that was left behind', async () => {
      startRunner();
      writeFileSync(`${inboundDbPath(host.workspace.inDir)}-journal`, 'x'.repeat(600));
      await delay(300);
      await host.post(chatRow('m-1', 'one'));
      await expectTexts('echo: one');
    });

    it('sends a reply without an address of its own to the chat of the session', async () => {
      const routing = { channelType: 'test', platformId: 'home', threadId: 't-1' };
      await host.write((inbound) => {
        const rows = [chatRow('m-1', 'one', { address: null })];
        inbound.append({ rows, outboundMaxSeq: 0, routing });
      });
      startRunner();
      await until(async () => {
        expect((await host.listReplies())[0]?.address).toEqual(routing);
      });
    });

    it('takes the oldest open messages, however many acked ones lie before them', async () => {
      const provider = new HeldProvider();
      const done = Array.from({ length: 60 }, (_, index) => `done-${index}`);
      new OutboundWriter(outboundDbPath(host.workspace.outDir)).create(outboundMigrations);
      new OutboundWriter(outboundDbPath(host.workspace.outDir)).commit({
        rows: [],
        acks: done.map((id) => ({ status: 'completed', id })),
        inboundMaxSeq: 0,
        nowMs: 0,
      });
      await host.post(...done.map((id) => chatRow(id, 'old')));
      const fresh = ['m-1', 'm-2', 'm-3', 'm-4', 'm-5', 'm-6', 'm-7'];
      await host.post(...fresh.map((id) => chatRow(id, 'new')));
      startRunner(provider);
      const first = await provider.next(1);
      expect(first.ids).toEqual(fresh.slice(0, 5));
      first.finish();
      expect((await provider.next(2)).ids).toEqual(fresh.slice(5));
    });

    it('is not woken by context, and is not kept from a message behind much of it', async () => {
      const provider = new HeldProvider();
      const kept = Array.from({ length: 300 }, (_, index) => `c-${index}`);
      startRunner(provider);
      await host.post(...kept.map((id) => chatRow(id, 'chatter', { status: 'context' })));
      await host.post(chatRow('m-1', 'now you'), chatRow('c-late', 'more', { status: 'context' }));
      const turn = await provider.next(1);
      expect(turn.ids).toEqual(['m-1']);
      expect(turn.context).toEqual(kept.slice(-200));
      turn.finish();
      await expectStatus('m-1', 'completed');
      // Context that no turn reads any more is taken back where it is written.
      expect(await host.findStatus('c-99')).toBeUndefined();
      expect(await host.findStatus('c-100')).toBe('completed');
      expect(await host.findStatus('c-299')).toBe('completed');
      expect(await host.findStatus('c-late')).toBeUndefined();
      expect(provider.turns).toHaveLength(1);
    });

    it('keeps context for the next try when a turn fails', async () => {
      const provider = new HeldProvider();
      await host.post(chatRow('c-1', 'chatter', { status: 'context' }), chatRow('m-1', 'now you'));
      startRunner(provider);
      (await provider.next(1)).fail('no model today');
      await expectStatus('m-1', 'failed');
      expect(await host.findStatus('c-1')).toBeUndefined();
      await host.retry('m-1');
      expect((await provider.next(2)).context).toEqual(['c-1']);
    });

    it('runs once more what a crashed runner had claimed, and answers it once', async () => {
      await host.post(chatRow('m-1', 'one'));
      const outbound = new OutboundWriter(outboundDbPath(host.workspace.outDir));
      outbound.create(outboundMigrations);
      const crashed = new Intake({
        inbound: new InboundReader(inboundDbPath(host.workspace.inDir)),
        outbound,
        batchSize: 5,
        clock: systemClock,
        log: silentLogger,
      });
      expect(crashed.take().kind).toBe('batch');
      expect(await host.findStatus('m-1')).toBe('processing');
      startRunner();
      await expectStatus('m-1', 'completed');
      expect(await host.listTexts()).toEqual(['echo: one']);
    });

    it('fails a row that it cannot read, and goes on with the rest', async () => {
      await host.post(chatRow('m-1', 'x', { content: '{"text":5}' }), chatRow('m-2', 'two'));
      startRunner();
      await expectStatus('m-2', 'completed');
      const ack = await host.findAck('m-1');
      expect(ack).toMatchObject({ status: 'failed', tries: 0 });
      expect(ack?.reason).toContain('text: Invalid input: expected string');
      expect(await host.listTexts()).toEqual(['echo: two']);
    });

    it('polls again when a message is due', async () => {
      const processAfter = new Date(Date.now() + 150).toISOString();
      await host.post(chatRow('m-1', 'one', { processAfter }));
      startRunner();
      await expectStatus('m-1', 'completed');
      expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(processAfter));
    });
  });

  describe('messages that come during a turn', () => {
    it('go into the next turn, and are acked at its end', async () => {
      const provider = new HeldProvider();
      await host.post(chatRow('m-1', 'one'));
      startRunner(provider);
      const first = await provider.next(1);
      await host.post(chatRow('m-2', 'two'), chatRow('m-3', 'three'));
      expect(await host.findStatus('m-2')).toBeUndefined();
      first.finish();
      const second = await provider.next(2);
      expect(second.ids).toEqual(['m-2', 'm-3']);
      expect(await host.findStatus('m-1')).toBe('completed');
      expect(await host.findStatus('m-2')).toBe('processing');
      second.finish();
      await expectTexts('to m-1', 'to m-2', 'to m-3');
      await expectStatus('m-3', 'completed');
    });

    it('can be taken into it, and are acked with it', async () => {
      const provider = new HeldProvider();
      await host.post(chatRow('m-1', 'one'));
      startRunner(provider);
      const turn = await provider.next(1);
      await host.post(chatRow('c-2', 'aside', { status: 'context' }), chatRow('m-2', 'two'));
      const more = turn.control.takeFollowUps();
      expect(more.messages.map(({ id }) => id)).toEqual(['m-2']);
      expect(more.context.map(({ id }) => id)).toEqual(['c-2']);
      expect(turn.control.takeFollowUps().messages).toEqual([]);
      expect(await host.findStatus('m-2')).toBe('processing');
      turn.finish();
      await expectStatus('m-2', 'completed');
      expect(await host.findStatus('c-2')).toBe('completed');
      expect(turn.control.takeFollowUps().messages).toEqual([]);
    });

    it('fail with it once they were taken', async () => {
      const provider = new HeldProvider();
      await host.post(chatRow('m-1', 'one'));
      startRunner(provider);
      const turn = await provider.next(1);
      await host.post(chatRow('m-2', 'two'));
      turn.control.takeFollowUps();
      turn.fail('no model today');
      await expectStatus('m-2', 'failed');
      expect(await host.findAck('m-1')).toMatchObject({
        status: 'failed',
        reason: 'no model today',
      });
    });
  });

  describe('replies', () => {
    it('can leave before the end of a turn, without its acks', async () => {
      const provider = new HeldProvider();
      await host.post(chatRow('m-1', 'one'));
      startRunner(provider);
      const turn = await provider.next(1);
      await turn.control.send(reply('m-1', 'working on it'));
      expect(await host.listTexts()).toEqual(['working on it']);
      expect(await host.findStatus('m-1')).toBe('processing');
      turn.finish();
      await expectTexts('working on it', 'to m-1');
      await expect(turn.control.send(reply('m-1', 'too late'))).rejects.toThrow(
        'The turn is over.',
      );
    });

    it('are kept while outbound.db is locked', async () => {
      const provider = new HeldProvider();
      await host.post(chatRow('m-1', 'one'));
      startRunner(provider);
      const turn = await provider.next(1);
      const lock = openDatabase(outboundDbPath(host.workspace.outDir), {
        mode: 'write',
        busyTimeoutMs: 0,
      });
      lock.exec('BEGIN EXCLUSIVE');
      turn.finish();
      // The first try waits a second for the lock before it gives way to this timer.
      await delay(5);
      lock.close();
      await expectTexts('to m-1');
      expect(fatals).toEqual([]);
    });

    it('end the runner when they can never be written', async () => {
      const provider = new HeldProvider();
      await host.post(chatRow('m-1', 'one'));
      startRunner(provider);
      const turn = await provider.next(1);
      withDatabase(
        outboundDbPath(host.workspace.outDir),
        { mode: 'write', busyTimeoutMs: 100 },
        (db) => db.exec('DROP TABLE messages_out'),
      );
      turn.finish();
      await until(() => {
        expect(fatals).toHaveLength(1);
      });
    });

    it('cannot be written to a file that is gone', async () => {
      startRunner();
      rmSync(outboundDbPath(host.workspace.outDir));
      await host.post(chatRow('m-1', 'one'));
      await until(() => {
        expect(fatals.map(({ code }) => code)).toEqual(['database_missing']);
      });
    });
  });

  describe('a failed message', () => {
    it('is not run again by itself, but once for every further try, and then is final', async () => {
      await host.post(chatRow('m-1', '!fail'), chatRow('m-2', 'two'));
      startRunner();
      await expectStatus('m-1', 'failed');
      expect(await host.findAck('m-1')).toMatchObject({
        tries: 0,
        reason: 'The message asked to fail.',
      });
      const failedAt = (await host.findAck('m-1'))?.statusChanged;
      await host.post(chatRow('m-3', 'three'));
      await expectStatus('m-3', 'completed');
      expect((await host.findAck('m-1'))?.statusChanged).toBe(failedAt);
      await host.retry('m-1');
      await until(async () => {
        expect(await host.findAck('m-1')).toMatchObject({ status: 'failed', tries: 1 });
      });
      expect(await host.listTexts()).toEqual(['echo: two', 'echo: three']);
    });

    it('leaves no trace of its failures when a later try completes', async () => {
      const provider = new HeldProvider();
      await host.post(chatRow('m-1', 'one'));
      startRunner(provider);
      (await provider.next(1)).fail('x'.repeat(9_000));
      await expectStatus('m-1', 'failed');
      expect((await host.findAck('m-1'))?.reason).toHaveLength(500);
      await host.retry('m-1');
      const second = await provider.next(2);
      expect(await host.findAck('m-1')).toMatchObject({ status: 'processing', tries: 1 });
      second.finish();
      await expectStatus('m-1', 'completed');
      expect(await host.findAck('m-1')).toMatchObject({ tries: 0, reason: null });
      await host.retry('m-1');
      await host.post(chatRow('m-2', 'two'));
      expect((await provider.next(3)).ids).toEqual(['m-2']);
    });

    it('is told nothing, because it would be told again', async () => {
      const provider: Provider = {
        runTurn: () =>
          Promise.resolve({
            replies: [reply('m-1', 'half an answer'), reply('m-2', 'an answer')],
            failures: [{ messageId: 'm-1', reason: 'lost the thread' }],
          }),
      };
      await host.post(chatRow('m-1', 'one'), chatRow('m-2', 'two'));
      startRunner(provider);
      await expectTexts('an answer');
    });
  });

  describe('stopping', () => {
    it('gives back a message in the middle of a sleep, for the next runner', async () => {
      await host.post(chatRow('m-1', '!sleep 60000 late'), chatRow('m-2', 'two'));
      const runner = startRunner();
      await expectStatus('m-1', 'processing');
      await runner.stop(1_000);
      expect(await host.findStatus('m-1')).toBeUndefined();
      expect(await host.listTexts()).toEqual([]);
      const provider = new HeldProvider();
      startRunner(provider);
      expect((await provider.next(1)).ids).toEqual(['m-1', 'm-2']);
    });

    it('keeps a turn that ends within the grace', async () => {
      const provider = new HeldProvider();
      await host.post(chatRow('m-1', 'one'));
      const runner = startRunner(provider);
      const turn = await provider.next(1);
      const stopped = runner.stop(5_000);
      expect(turn.control.signal.aborted).toBe(true);
      turn.finish();
      await stopped;
      expect(await host.findStatus('m-1')).toBe('completed');
      expect(await host.listTexts()).toEqual(['to m-1']);
    });

    it('gives back what a provider hangs on, and drops what it says afterwards', async () => {
      const provider = new HeldProvider();
      await host.post(chatRow('m-1', 'one'));
      const runner = startRunner(provider);
      const turn = await provider.next(1);
      await runner.stop(20);
      expect(await host.findStatus('m-1')).toBeUndefined();
      turn.finish();
      startRunner();
      await expectTexts('echo: one');
    });
  });

  describe('the heartbeat', () => {
    const mtime = (): number =>
      statSync(heartbeatPath(host.workspace.outDir), { throwIfNoEntry: false })?.mtimeMs ?? 0;

    it('goes on through a long sleep', async () => {
      await host.post(chatRow('m-1', '!sleep 60000 late'));
      startRunner();
      const seen = new Set<number>();
      await until(() => {
        seen.add(mtime());
        expect(seen.size).toBeGreaterThan(4);
      });
    });

    it('stops in a hang', async () => {
      await host.post(chatRow('m-1', '!hang'));
      startRunner();
      await expectStatus('m-1', 'processing');
      await until(() => {
        expect(Date.now() - mtime()).toBeGreaterThan(100);
      });
      expect(mtime()).toBeGreaterThan(0);
    });
  });
});
