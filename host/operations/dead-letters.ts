import { z } from 'zod';
import { inDaemon } from './operation.js';

export const retryDeadLetter = inDaemon({
  name: 'dead-letters.retry',
  summary: 'Has a message that was given up answered or delivered after all.',
  input: z.object({
    letters: z.array(
      z.object({
        sessionId: z.string(),
        direction: z.enum(['in', 'out']),
        messageId: z.string(),
      }),
    ),
  }),
  run: ({ deadLetters }, { letters }) => deadLetters.retry(letters),
});
