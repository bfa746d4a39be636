/** The part of the engine's answer about a container that Berth compares. Source: Docker Engine API 1.41, ContainerInspect. */
import { z } from 'zod';
import { BerthError } from '../../../../shared/base/errors.js';
import { describeIssues } from '../../../../shared/protocol/plain-words.js';

const names = z.array(z.string()).nullish();
const anything = z.array(z.unknown()).nullish();

const inspectedSchema = z.object({
  AppArmorProfile: z.string().nullish(),
  Config: z.object({ User: z.string() }),
  /** Pid: of its first process, as the engine's machine counts; 0 while none runs. */
  State: z.object({ Running: z.boolean(), Pid: z.number() }),
  HostConfig: z.object({
    CapAdd: names,
    CapDrop: names,
    SecurityOpt: names,
    ReadonlyRootfs: z.boolean().nullish(),
    Tmpfs: z.record(z.string(), z.string()).nullish(),
    Ulimits: z.array(z.object({ Name: z.string(), Soft: z.number(), Hard: z.number() })).nullish(),
    CgroupnsMode: z.string().nullish(),
    PidMode: z.string().nullish(),
    IpcMode: z.string().nullish(),
    UTSMode: z.string().nullish(),
    OomScoreAdj: z.number().nullish(),
    Memory: z.number().nullish(),
    NanoCpus: z.number().nullish(),
    PidsLimit: z.number().nullish(),
    NetworkMode: z.string().optional(),
    Privileged: z.boolean().nullish(),
    Devices: anything,
    DeviceRequests: anything,
    MaskedPaths: names,
    /** The low-level runtime, as `runc` or `runsc`. */
    Runtime: z.string().nullish(),
  }),
  Mounts: z
    .array(
      z.object({
        Type: z.string(),
        Source: z.string().default(''),
        Destination: z.string(),
        RW: z.boolean(),
      }),
    )
    .nullish(),
});

export type InspectedContainer = z.infer<typeof inspectedSchema>;

/** Throws engine_failed. */
export function parseInspected(answer: unknown): InspectedContainer {
  const parsed = inspectedSchema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new BerthError(
    'engine_failed',
    `The container engine described a container in words that Berth does not know: ${describeIssues(parsed.error, 'it')}.`,
    { next: 'Use Docker from 20.10 or Podman from 4 on.' },
  );
}
