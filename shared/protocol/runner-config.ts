import * as z from 'zod/mini';

/**
 * The version of runner.json that the host writes. 1: `provider` was a name. A runner takes earlier ones, and of later ones
 * what it knows: fields are added, and none changes its meaning.
 */
export const runnerProtocol = 2;

const providerSchema = z.object({
  name: z.string(),
  /** As the provider's own schema has them. */
  options: z._default(z.record(z.string(), z.unknown()), {}),
});

const providerOfVersion1 = z.pipe(
  z.string(),
  z.transform((name): z.output<typeof providerSchema> => ({ name, options: {} })),
);

/** `in/runner.json`: what the host tells a runner at its start. */
export const runnerConfigSchema = z.object({
  protocol: z.int().check(z.minimum(1)),
  sessionId: z.string(),
  agentGroup: z.object({ id: z.string(), name: z.string() }),
  provider: z.union([providerSchema, providerOfVersion1]),
  /** How many messages one turn takes at the most. */
  batchSize: z._default(z.int().check(z.minimum(1)), 20),
  /** The safety net: the longest time between two polls of inbound.db, in milliseconds. */
  pollIntervalMs: z._default(z.int().check(z.minimum(10)), 1_000),
  /** The longest time between two signs of life during a turn, in milliseconds. */
  heartbeatIntervalMs: z._default(z.int().check(z.minimum(10)), 1_000),
});

export type RunnerConfig = z.infer<typeof runnerConfigSchema>;
