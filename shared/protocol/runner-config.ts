import { z } from 'zod';

/** `in/runner.json`: what the host tells a runner at its start. */
export const runnerConfigSchema = z.object({
  protocol: z.literal(1),
  sessionId: z.string(),
  agentGroup: z.object({ id: z.string(), name: z.string() }),
  provider: z.string(),
  /** How many messages one turn takes at the most. */
  batchSize: z.number().int().min(1).default(20),
  /** The safety net: the longest time between two looks at inbound.db, in milliseconds. */
  pollIntervalMs: z.number().int().min(10).default(1_000),
  /** The longest time between two signs of life during a turn, in milliseconds. */
  heartbeatIntervalMs: z.number().int().min(10).default(1_000),
});

export type RunnerConfig = z.infer<typeof runnerConfigSchema>;
