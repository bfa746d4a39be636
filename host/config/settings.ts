/** Everything that can be set: what for, what it may be, and what it is otherwise. */
import { availableParallelism, totalmem } from 'node:os';
import { z } from 'zod';
import { isTimeZone } from '../../shared/base/clock.js';
import { isProviderName, providerNames } from '../../shared/protocol/provider-table.js';
import { runtimeNames } from '../../shared/protocol/runtime-names.js';

/** Up to a day: a timer that is told to wait longer than 24 days does not wait at all. */
const milliseconds = z.coerce.number().int().min(1).max(86_400_000);

/** A setting with no fallback may be left unset. */
export const settings = {
  BERTH_HOME: {
    about: 'Where groups/, data/ and .env lie; else ~/.berth',
    schema: z.string().min(1),
    fallback: undefined,
  },
  BERTH_RUNTIME: {
    about: 'What runs agents: auto, docker or process (no isolation)',
    schema: z.enum(['auto', ...runtimeNames]),
    fallback: 'auto',
  },
  BERTH_LOG_LEVEL: {
    about: 'debug, info, warn or error',
    schema: z.enum(['debug', 'info', 'warn', 'error']),
    fallback: 'info',
  },
  BERTH_PROVIDER: {
    about: 'What thinks in agent groups that name no provider',
    schema: z
      .string()
      .refine(isProviderName, `there is no such provider; there is ${providerNames.join(', ')}`),
    fallback: 'echo',
  },
  DOCKER_HOST: {
    about: 'Where the container engine listens (unix:// or tcp://); else it is searched for',
    schema: z.string().min(1),
    fallback: undefined,
  },
  BERTH_BASE_IMAGE: {
    about: 'What the agent image is built on, instead of the pinned Node image',
    schema: z.string().min(1),
    fallback: undefined,
  },
  BERTH_ENGINE_TIMEOUT_MS: {
    about: 'How long one call to the engine may take',
    schema: milliseconds,
    fallback: '10000',
  },
  BERTH_STOP_TIMEOUT_MS: {
    about: 'How long a stop may take in all',
    schema: milliseconds,
    fallback: '15000',
  },
  BERTH_POLL_INTERVAL_MS: {
    about: 'How often to check where a file event was lost',
    schema: milliseconds,
    fallback: '2000',
  },
  BERTH_ALLOW_UNISOLATED: {
    about: 'Providers that run tools and may do so without a container, separated by commas',
    schema: z.string(),
    fallback: '',
  },
  BERTH_MAX_CONTAINERS: {
    about: 'How many containers may run at once',
    schema: z.coerce.number().int().min(1).max(10_000),
    fallback: String(defaultMaxContainers()),
  },
  BERTH_MEMORY_BUDGET_MB: {
    about: 'What the memory limits of running containers may add up to',
    schema: z.coerce.number().int().min(64),
    fallback: String(defaultMemoryBudgetMb()),
  },
  BERTH_SAFETY_SCAN_MS: {
    about: 'How long the safety scan takes to read every session once',
    schema: milliseconds,
    fallback: '43200000',
  },
  BERTH_TIME_ZONE: {
    about: 'Where schedules without a time zone of their own are told (Europe/Berlin)',
    schema: z.string().refine(isTimeZone, 'there is no such time zone'),
    /** Left to the environment and the machine: see findMachineTimeZone. */
    fallback: undefined,
  },
  BERTH_UNKNOWN_SENDS: {
    about: 'A send that was interrupted: repeat (marked) or hold; per channel: repeat,slack=hold',
    schema: z
      .string()
      .regex(
        /^(repeat|hold|[a-z][a-z0-9-]*=(repeat|hold))(,(repeat|hold|[a-z][a-z0-9-]*=(repeat|hold)))*$/,
        'write repeat or hold, and per channel like repeat,slack=hold',
      ),
    fallback: 'repeat',
  },
} as const;

/** Three quarters of the memory: the rest is for the host. */
function defaultMemoryBudgetMb(): number {
  return Math.floor((totalmem() / 2 ** 20) * 0.75);
}

/** Agents mostly wait for a model: a core serves ten. Fewer where memory would not do for a gigabyte each. */
function defaultMaxContainers(): number {
  const byMemory = Math.floor(defaultMemoryBudgetMb() / 1_024);
  return Math.max(2, Math.min(availableParallelism() * 10, byMemory));
}
