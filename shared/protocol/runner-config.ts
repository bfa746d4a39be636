import * as z from 'zod/mini';

/** `in/runner.json`: what the host tells a runner at its start. */
export const runnerConfigSchema = z.object({
  protocol: z.literal(1),
  sessionId: z.string(),
  agentGroup: z.object({ id: z.string(), name: z.string() }),
  provider: z.string(),
  /** How many messages one turn takes at the most. */
  batchSize: z._default(z.int().check(z.minimum(1)), 20),
  /** The safety net: the longest time between two polls of inbound.db, in milliseconds. */
  pollIntervalMs: z._default(z.int().check(z.minimum(10)), 1_000),
  /** The longest time between two signs of life during a turn, in milliseconds. */
  heartbeatIntervalMs: z._default(z.int().check(z.minimum(10)), 1_000),
});

export type RunnerConfig = z.infer<typeof runnerConfigSchema>;
