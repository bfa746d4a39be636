import { describe, expect, it } from 'vitest';
import type { OpenInbound } from '../../../shared/protocol/mailbox/inbound-rows.js';
import { failureText } from './failure-text.js';

const now = '2026-01-31T12:00:00.000Z';
const row: OpenInbound = {
  id: 'm-1',
  seq: 2,
  status: 'pending',
  tries: 4,
  processAfter: null,
  kind: 'chat',
  timestamp: now,
  recurrence: null,
  timeZone: null,
  address: null,
};

describe('what a chat is told of a message that was given up', () => {
  it('says which one it was, by its first words', () => {
    expect(failureText(row, 'please book\n the flight', now)).toContain(
      'could not be handled (“please book the flight”). Please',
    );
    expect(failureText(row, 'word '.repeat(50), now)).toContain(
      '(“word word word word word word word word…”)',
    );
  });

  it('calls nobody, and is no markup', () => {
    const text = failureText(row, '<!channel> @everyone `rm` *now*\u202e [x](http://y)', now);
    expect(text).toContain('(“!channel everyone rm now x http://y”)');
  });

  it('tears no character where it ends, nor inside', () => {
    const family = '👨‍👩‍👧‍👦';
    expect(failureText(row, family.repeat(50), now)).toContain(`(“${family.repeat(40)}…”)`);
  });

  it.each([undefined, '', ' \n', '@@'])('says less where there is nothing to quote: %j', (said) => {
    expect(failureText(row, said, now)).toContain('could not be handled. Please');
  });

  it('says of a task whether it will not be run, or could not be done', () => {
    const task = { ...row, kind: 'task', timestamp: '2026-02-01T00:00:00.000Z' };
    const planned = { ...task, tries: 0, processAfter: task.timestamp };
    expect(failureText(planned, 'water', now)).toContain('will not be run (“water”): this');
    expect(failureText({ ...task, timestamp: now }, 'water', now)).toContain(
      'could not be done (“water”). Please',
    );
  });
});
