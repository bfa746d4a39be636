import { z } from 'zod';
import { BerthError } from '../../shared/base/errors.js';
import { describeIssues } from '../../shared/protocol/plain-words.js';

/** Up to a week. */
const milliseconds = z.number().int().min(100).max(604_800_000);

/** agent_groups.container_config: what an agent group's containers may use, how long they last, and how failures are retried. */
export const containerConfigSchema = z.strictObject({
  network: z.enum(['none', 'bridge']).default('none'),
  /** Up to 4 TiB. */
  memoryMb: z.number().int().min(64).max(4_194_304).default(1_024),
  /** Engines take no less. */
  cpus: z.number().min(0.01).max(256).default(1),
  /** Linux has no more pids. */
  pidsLimit: z.number().int().min(16).max(4_194_304).default(256),
  /** How often a message is tried before it is given up. */
  tries: z.number().int().min(1).max(50).default(5),
  /** The wait before the second try in milliseconds; doubles with every further one. */
  retryBaseMs: z.number().int().min(1).default(5_000),
  /** A container with nothing to do is stopped after this long. */
  idleTimeoutMs: milliseconds.default(600_000),
  /** A turn that shows no sign of life for this long is taken for stuck, and ended. */
  silenceTimeoutMs: milliseconds.default(120_000),
  /** No turn lasts longer, lively or not. */
  turnTimeoutMs: milliseconds.default(1_800_000),
  /** As the provider's own schema has them: see shared/protocol/provider-table.ts. */
  providerOptions: z.record(z.string(), z.unknown()).default({}),
  /** How many prewarmed sessions are kept running, so that a new conversation finds its container there. */
  warmSessions: z.number().int().min(0).max(20).default(0),
  /** How long files that came with messages or were sent are kept, and logs of sessions that are not used any more. */
  keepFilesDays: z.number().int().min(1).max(36_500).default(30),
  /** How long messages that are done with are kept in a session's databases. */
  keepMessagesDays: z.number().int().min(1).max(36_500).default(365),
});

export type ContainerConfig = z.infer<typeof containerConfigSchema>;

/** Throws invalid_input with what is wrong. Null: the defaults. */
export function parseContainerConfig(json: string | null): ContainerConfig {
  let value: unknown;
  try {
    value = json === null ? {} : JSON.parse(json);
  } catch (error) {
    throw refused('it is not JSON', error);
  }
  const result = containerConfigSchema.safeParse(value);
  if (result.success) return result.data;
  throw refused(describeIssues(result.error, 'it'), result.error);
}

/** As parseContainerConfig, with the defaults for what cannot be used: where that matters most, at the start, it is refused. */
export function readContainerConfig(json: string | null): ContainerConfig {
  try {
    return parseContainerConfig(json);
  } catch {
    return parseContainerConfig(null);
  }
}

const allowedKeys = Object.keys(containerConfigSchema.shape).join(', ');

function refused(why: string, cause: unknown): BerthError {
  return new BerthError('invalid_input', `The container config cannot be used: ${why}.`, {
    next: `Write it like {"network":"none","memoryMb":1024}. It may have: ${allowedKeys}.`,
    cause,
  });
}
