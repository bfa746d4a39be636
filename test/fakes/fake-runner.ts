import { readMigrations } from '../../shared/base/sqlite/migrate.js';
import { CommitMark } from '../../container/commit-mark.js';
import type { Clock } from '../../shared/base/clock.js';
import {
  OutboundWriter,
  type FinalAck,
  type NewOutboundRow,
} from '../../shared/protocol/mailbox/outbound-writer.js';
import { silentLogger } from '../../shared/base/logger.js';
import { commitMarkPath, outboundDbPath } from '../../shared/protocol/workspace.js';

/** The runner's half of one session: writes outbound.db as a container would. */
export class FakeRunner {
  readonly #writer: OutboundWriter;
  readonly #clock: Clock;
  readonly #mark: Pick<CommitMark, 'touch'>;

  /** `marks`: false for a runner of a version that marked no commits. */
  constructor(outDir: string, clock: Clock, { marks = true } = {}) {
    this.#mark = marks
      ? new CommitMark({ path: commitMarkPath(outDir), log: silentLogger })
      : { touch: () => undefined };
    this.#writer = new OutboundWriter(outboundDbPath(outDir));
    this.#clock = clock;
    this.#writer.create(readMigrations('migrations/outbound'));
  }

  /** It keeps no file open. */
  leave(): void {
    this.#writer.close();
  }

  /** Gives back what it has claimed, as a runner that is told to leave. */
  release(...ids: string[]): void {
    this.#writer.release(ids);
    this.#mark.touch();
  }

  claim(...ids: string[]): void {
    this.claimTry(0, ...ids);
  }

  /** `tries`: messages_in.tries as the runner sees it. */
  claimTry(tries: number, ...ids: string[]): void {
    const messages = ids.map((id) => ({ id, tries }));
    this.#writer.claim(() => ({ messages }), this.#clock.now());
  }

  complete(...ids: string[]): void {
    this.#commit(
      [],
      ids.map((id) => ({ id, status: 'completed' })),
    );
  }

  fail(id: string, reason: string, tries = 0): void {
    this.#commit([], [{ id, status: 'failed', tries, reason }]);
  }

  /** Writes one chat message to the session's own chat, under the text as its id unless said otherwise. */
  say(text: string, more: Partial<NewOutboundRow> = {}): void {
    this.write(row(text, more));
  }

  /** Likewise, one for each text, in one transaction. */
  sayAll(texts: readonly string[], more: Partial<NewOutboundRow> = {}): void {
    this.write(...texts.map((text) => row(text, more)));
  }

  /** Another content than a text. */
  sayContent(id: string, content: object, more: Partial<NewOutboundRow> = {}): void {
    this.write(row(id, { content: JSON.stringify(content), ...more }));
  }

  write(...rows: readonly NewOutboundRow[]): void {
    this.#commit(rows, []);
  }

  #commit(rows: readonly NewOutboundRow[], acks: readonly FinalAck[]): void {
    this.#writer.commit({ rows, acks, inboundMaxSeq: 0, nowMs: this.#clock.now() });
    this.#mark.touch();
  }
}

function row(id: string, more: Partial<NewOutboundRow>): NewOutboundRow {
  return {
    id,
    inReplyTo: null,
    deliverAfter: null,
    kind: 'chat',
    address: null,
    content: JSON.stringify({ text: id }),
    ...more,
  };
}
