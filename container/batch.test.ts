import { describe, expect, it } from 'vitest';
import type { DueInbound } from '../shared/protocol/mailbox/inbound-reader.js';
import { chooseBatch } from './batch.js';

function row(seq: number, tries = 0): DueInbound {
  return { id: `m-${seq}`, seq, tries };
}

interface Case {
  readonly pending: readonly DueInbound[];
  readonly context?: readonly DueInbound[];
  readonly acked?: readonly number[];
  readonly size?: number;
  readonly takesRetries?: boolean;
}

function choose(given: Case): { messages: number[]; context: number[] } {
  const { messages, context } = chooseBatch(
    {
      pending: given.pending,
      listContextBelow: (seq) => (given.context ?? []).filter((kept) => kept.seq < seq),
      isOpen: ({ seq }) => !(given.acked ?? []).includes(seq),
    },
    { size: given.size ?? 3, takesRetries: given.takesRetries ?? true },
  );
  return { messages: messages.map(({ seq }) => seq), context: context.map(({ seq }) => seq) };
}

describe('chooseBatch', () => {
  it.each<[string, Case, number[], number[]]>([
    ['takes nothing of nothing', { pending: [] }, [], []],
    ['takes the oldest', { pending: [row(2), row(4), row(6), row(8)] }, [2, 4, 6], []],
    [
      'filters acked rows before it counts',
      { pending: [row(2), row(4), row(6), row(8)], acked: [2, 4], size: 2 },
      [6, 8],
      [],
    ],
    ['is not woken by context', { pending: [], context: [row(2)] }, [], []],
    [
      'takes open context from before the last message, however much of it',
      {
        pending: [row(6), row(12)],
        context: [row(2), row(4), row(8), row(10), row(14)],
        acked: [4],
      },
      [6, 12],
      [2, 8, 10],
    ],
    ['runs a retried message alone', { pending: [row(2, 1), row(4)] }, [2], []],
    ['stops before a retried message', { pending: [row(2), row(4, 2), row(6)] }, [2], []],
    [
      'takes no retried message into a running turn',
      { pending: [row(2, 1), row(4)], takesRetries: false },
      [],
      [],
    ],
  ])('%s', (_title, given, messages, context) => {
    expect(choose(given)).toEqual({ messages, context });
  });

  it.each<[string, readonly DueInbound[], boolean]>([
    ['all', [row(2), row(4)], true],
    ['none, as there is none', [], true],
    ['only so many', [row(2), row(4), row(6)], false],
    ['a retried one alone', [row(2, 1)], false],
    ['those before a retried one', [row(2), row(4, 1)], false],
  ])('tells whether it took %s', (_title, pending, isAll) => {
    const source = { pending, listContextBelow: () => [], isOpen: () => true };
    expect(chooseBatch(source, { size: 3, takesRetries: true }).isAll).toBe(isAll);
  });

  it('reads no further than it needs', () => {
    let read = 0;
    const endless = function* (): Generator<DueInbound> {
      for (;;) yield row((read += 1) * 2);
    };
    const source = { pending: endless(), listContextBelow: () => [], isOpen: () => true };
    chooseBatch(source, { size: 5, takesRetries: true });
    expect(read).toBe(5);
  });
});
