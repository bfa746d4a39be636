import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { isoAt } from '../../shared/base/clock.js';
import { newId } from '../../shared/base/ids.js';
import { OutboundWriter } from '../../shared/protocol/mailbox/outbound-writer.js';
import { encodeContent } from '../../shared/protocol/session-message.js';
import { until } from '../fakes/waiting.js';
import { DoomedHome, type Doom } from './doomed-home.js';
import type { Entry, Ledger } from './ledger.js';
import { auditSessions } from './session-audit.js';

const hourMs = 3_600_000;
const agentImage = fileURLToPath(new URL('../../dist/agent-image', import.meta.url));
const shiftedClock = fileURLToPath(new URL('shifted-clock.cjs', import.meta.url));

/** A clock that the daemon and its runners go by; only the wall clock, as when a machine's time is set. */
class SharedClock implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'berth-clock-'));
  #offsetMs = 0;

  constructor() {
    cpSync(agentImage, this.#folder, { recursive: true });
    cpSync(shiftedClock, join(this.#folder, 'shifted-clock.cjs'));
    renameSync(join(this.#folder, 'runner-echo.cjs'), join(this.#folder, 'the-runner.cjs'));
    const first = `require('./shifted-clock.cjs');\nrequire('./the-runner.cjs');\n`;
    writeFileSync(join(this.#folder, 'runner-echo.cjs'), first);
    this.setTo(0);
  }

  get doom(): Doom {
    return {
      preload: join(this.#folder, 'shifted-clock.cjs'),
      program: { agentImageDir: this.#folder },
    };
  }

  now(): number {
    return Date.now() + this.#offsetMs;
  }

  /** Against the machine's. In one piece: half a number would be another time. */
  setTo(offsetMs: number): void {
    this.#offsetMs = offsetMs;
    const path = join(this.#folder, 'clock-offset-ms');
    writeFileSync(`${path}.new`, String(offsetMs));
    renameSync(`${path}.new`, path);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** As the agent would: a reply of its own, to be sent later. */
function sayLater(home: DoomedHome, chat: string, text: string, atMs: number): void {
  const path = join(home.sessionDir(home.sessionOf(chat)), 'out', 'outbound.db');
  new OutboundWriter(path).commit({
    rows: [
      {
        id: newId('o'),
        inReplyTo: null,
        deliverAfter: isoAt(atMs),
        kind: 'chat',
        address: null,
        content: encodeContent({ kind: 'chat', chat: { operation: 'post', text, files: [] } }),
      },
    ],
    acks: [],
    inboundMaxSeq: 1_000,
    nowMs: atMs,
  });
}

/** Chats in which a turn runs, a retry waits, and a reply is to be said at a time of day. */
class Restless {
  readonly #home: DoomedHome;
  readonly ledger: Ledger;
  /** The turn that runs. */
  readonly running: Entry[] = [];

  constructor(home: DoomedHome) {
    this.#home = home;
    this.ledger = home.ledger();
  }

  async settleDown(): Promise<void> {
    for (const chat of ['running', 'failing', 'later']) this.ledger.say(chat);
    await this.ledger.untilOver();
    const config = { retryBaseMs: 2_000, tries: 2, silenceTimeoutMs: 2_000 };
    await this.#home.json(
      ...['agent-groups', 'update', 'main'],
      ...['--container-config', JSON.stringify(config)],
    );
  }

  async becomeBusy(turnMs: number, laterText: string, laterAtMs: number): Promise<void> {
    this.running.push(this.ledger.say('running', `!sleep ${turnMs}`));
    const failing = this.ledger.sayUnanswerable('failing', '!fail');
    await until(() => {
      expect(auditSessions(this.#home).get(failing.messageId ?? '')).toMatchObject([{ tries: 1 }]);
    });
    sayLater(this.#home, 'later', laterText, laterAtMs);
    this.ledger.say('later');
  }

  /** Nobody is left waiting, and no turn was ended before its time. */
  async expectCalm(timeoutMs: number): Promise<void> {
    await this.ledger.untilOver(timeoutMs);
    this.ledger.tellCounts();
    await until(() => {
      const audit = auditSessions(this.#home);
      for (const { messageId = '' } of this.running) {
        expect(audit.get(messageId)).toMatchObject([{ tries: 0, replies: 1, delivered: 1 }]);
      }
    });
    expect(this.ledger.counts()).toMatchObject({ toldFailed: 1, lost: 0, repeated: 0 });
  }
}

describe('a clock that jumps an hour', () => {
  it('forward takes no turn for stuck, and brings what is due then', async () => {
    using clock = new SharedClock();
    await using home = new DoomedHome('process');
    await home.runUntilReady(clock.doom);
    const chats = new Restless(home);
    await chats.settleDown();
    // Longer than a container is let alone after its start.
    await chats.becomeBusy(14_000, 'due by then', clock.now() + hourMs / 2);
    clock.setTo(hourMs);
    chats.ledger.say('later');
    await chats.ledger.until(() => chats.ledger.textsOf('later').includes('due by then'));
    await chats.expectCalm(30_000);
    expect(chats.ledger.textsOf('later').filter((text) => text === 'due by then')).toHaveLength(1);
  });

  it('back takes no turn for stuck, lets no retry wait for the hour, and says nothing before its time', async () => {
    using clock = new SharedClock();
    clock.setTo(hourMs);
    await using home = new DoomedHome('process');
    await home.runUntilReady(clock.doom);
    const chats = new Restless(home);
    await chats.settleDown();
    await chats.becomeBusy(14_000, 'at its time', clock.now() + 5_000);
    clock.setTo(0);
    for (let i = 0; i < 3; i += 1) chats.ledger.say('later');
    await chats.expectCalm(30_000);
    expect(chats.ledger.textsOf('later')).not.toContain('at its time');
    clock.setTo(hourMs + 6_000);
    chats.ledger.say('later');
    await chats.ledger.until(() => chats.ledger.textsOf('later').includes('at its time'));
  });
});
