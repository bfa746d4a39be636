/** Translates a posture into the engine's words, and tells in which of its fields a container differs from it. */
import type {
  FolderMount,
  Posture,
  ResourceLimits,
  TmpfsMount,
  Ulimit,
} from '../../spec/posture.js';
import type { InspectedContainer } from './docker-inspect.js';
import type { PostureDifference } from './posture-difference.js';

type HostConfig = Readonly<Record<string, unknown>>;

interface Rule<V> {
  /** The fields of HostConfig that ask for it. */
  readonly ask: (value: V) => HostConfig;
  /** Clauses that say in what it differs. */
  readonly compare: (value: V, found: InspectedContainer) => readonly string[];
  readonly remedy?: string;
}

const mebibyte = 1_048_576;

const obedience =
  'See what changes requests on their way to the engine (a proxy at DOCKER_HOST, an authorization plugin), or use Docker from 20.10 or Podman from 4 on.';

/** Podman answers with all that it would have given otherwise, instead of ALL. */
const defaultCapabilities =
  'CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
    ' ',
  );

const rules: { readonly [K in keyof Posture]: Rule<Posture[K]> } = {
  user: {
    // The create request names it outside of HostConfig.
    ask: () => ({}),
    compare: (user, { Config }) =>
      unless(Config.User === user, `it runs as user "${Config.User}" instead of ${user}`),
  },
  capabilities: {
    ask: (capabilities) => ({ CapDrop: ['ALL'], CapAdd: [...capabilities] }),
    compare: (capabilities, { HostConfig: { CapDrop, CapAdd } }) => {
      const dropped = new Set(namesOf(CapDrop));
      const isAllDropped = dropped.has('ALL') || defaultCapabilities.every((it) => dropped.has(it));
      const surplus = namesOf(CapAdd).filter((name) => !capabilities.includes(name));
      return [
        ...unless(isAllDropped, 'it keeps capabilities of root'),
        ...unless(surplus.length === 0, `it has the capabilities ${surplus.join(', ')}`),
      ];
    },
  },
  gainsPrivileges: {
    ask: () => ({ SecurityOpt: ['no-new-privileges'] }),
    compare: (_, { HostConfig: { SecurityOpt } }) =>
      unless(
        (SecurityOpt ?? []).some((it) => /^no-new-privileges([:=]true)?$/.test(it)),
        'its programs may gain privileges (no-new-privileges is not set)',
      ),
  },
  // An engine uses its own profile unless it is told otherwise.
  seccomp: {
    ask: () => ({}),
    compare: (_, { HostConfig: { SecurityOpt } }) =>
      unless(
        !(SecurityOpt ?? []).some((it) => /^seccomp[:=]unconfined$/.test(it)),
        'no seccomp profile filters its system calls',
      ),
  },
  appArmor: {
    ask: () => ({}),
    compare: (_, { AppArmorProfile, HostConfig: { SecurityOpt } }) =>
      unless(
        AppArmorProfile !== 'unconfined' &&
          !(SecurityOpt ?? []).some((it) => /^apparmor[:=]unconfined$/.test(it)),
        'no AppArmor profile confines it',
      ),
  },
  readOnlyRoot: {
    ask: (ReadonlyRootfs) => ({ ReadonlyRootfs }),
    compare: (_, { HostConfig }) =>
      unless(HostConfig.ReadonlyRootfs === true, 'its root file system can be written'),
  },
  tmpfs: {
    ask: (mounts) => ({ Tmpfs: Object.fromEntries(mounts.map((it) => [it.path, optionsOf(it)])) }),
    compare: (mounts, { HostConfig: { Tmpfs } }) => [
      ...mounts.flatMap((mount) => compareTmpfs(mount, Tmpfs?.[mount.path])),
      // Podman adds /run and /var/tmp; they count as memory of the container.
      ...Object.entries(Tmpfs ?? {}).flatMap(([path, options]) =>
        unless(
          ['nosuid', 'nodev'].every((it) => options.split(',').includes(it)),
          `its ${path} takes devices or setuid programs`,
        ),
      ),
    ],
  },
  ulimits: {
    ask: (ulimits) => ({
      Ulimits: ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    }),
    compare: (ulimits, { HostConfig: { Ulimits } }) =>
      ulimits.flatMap((it) => compareUlimit(it, Ulimits ?? [])),
  },
  namespaces: {
    ask: () => ({ CgroupnsMode: 'private' }),
    compare: (_, { HostConfig: { CgroupnsMode, PidMode, IpcMode, UTSMode } }) => [
      // Podman does not say.
      ...unless(
        ['private', '', undefined, null].includes(CgroupnsMode),
        "it sees others' control groups",
      ),
      ...unless(isOwn(PidMode), "it sees others' processes"),
      ...unless(isOwn(IpcMode), "it shares others' memory"),
      ...unless(isOwn(UTSMode), "it shares the host's name"),
    ],
  },
  oomScoreAdj: {
    ask: (OomScoreAdj) => ({ OomScoreAdj }),
    compare: (wanted, { HostConfig: { OomScoreAdj } }) =>
      unless(OomScoreAdj === wanted, `its oom_score_adj is ${OomScoreAdj ?? 0}, not ${wanted}`),
  },
  limits: {
    ask: ({ memoryMb, cpus, pids }) => ({
      Memory: memoryMb * mebibyte,
      MemorySwap: memoryMb * mebibyte,
      NanoCpus: nanoCpus(cpus),
      PidsLimit: pids,
    }),
    compare: compareLimits,
    remedy:
      'The kernel must offer control groups for memory, CPU and pids: see the warnings of `docker info`. A rootless engine needs cgroup v2 and their delegation to its user.',
  },
  network: {
    ask: (network) => ({ NetworkMode: network }),
    compare: (wanted, { HostConfig: { NetworkMode = '' } }) =>
      unless(
        wanted === 'none' ? NetworkMode === 'none' : !/^(host|container:|ns:)/.test(NetworkMode),
        `its network is "${NetworkMode}" instead of ${wanted}`,
      ),
  },
  mounts: {
    ask: (mounts) => ({ Mounts: mounts.map(toMount) }),
    compare: compareMounts,
    remedy: `Where the base image names volumes (VOLUME), use one that names none. ${obedience}`,
  },
  machineAccess: {
    ask: () => ({ Privileged: false }),
    compare: (_, { HostConfig: { Privileged, Devices, DeviceRequests, MaskedPaths } }) => [
      ...unless(Privileged !== true, 'it is privileged'),
      ...unless(
        (Devices ?? []).length === 0 && (DeviceRequests ?? []).length === 0,
        'it has devices of the machine',
      ),
      // Null: the engine does not say.
      ...unless(MaskedPaths?.length !== 0, "it sees the machine's /proc unmasked"),
    ],
  },
};

const fields = Object.keys(rules) as (keyof Posture)[];

export function hostConfigFor(posture: Posture): HostConfig {
  const asked = fields.map((field) => ruleOf(field).ask(posture[field]));
  return Object.assign({}, ...asked) as HostConfig;
}

/** Empty where the container is what was asked for, as far as the engine tells. */
export function findPostureDifferences(
  posture: Posture,
  found: InspectedContainer,
): readonly PostureDifference[] {
  return fields.flatMap((field) => {
    const { compare, remedy = obedience } = ruleOf(field);
    return compare(posture[field], found).map((clause) => ({ clause, remedy }));
  });
}

function ruleOf(field: keyof Posture): Rule<unknown> {
  return rules[field] as Rule<unknown>;
}

function compareTmpfs(mount: TmpfsMount, found: string | undefined): readonly string[] {
  const options = new Set(found?.split(',') ?? []);
  const missing = optionsOf(mount)
    .split(',')
    .filter((it) => !options.has(it));
  return unless(missing.length === 0, `its ${mount.path} is not ${missing.join(', ')}`);
}

function compareUlimit(
  { name, soft, hard }: Ulimit,
  found: readonly { Name: string; Soft: number; Hard: number }[],
): readonly string[] {
  // Podman: RLIMIT_CORE.
  const same = found.find((it) => it.Name.toLowerCase().replace(/^rlimit_/, '') === name);
  const has = same === undefined ? 'not set' : `${same.Soft}:${same.Hard}`;
  return unless(
    same?.Soft === soft && same.Hard === hard,
    `its ulimit ${name} is ${has} instead of ${soft}:${hard}`,
  );
}

/** MemorySwap is not compared: a kernel that does not count swap keeps the limit of memory alone. */
function compareLimits(
  { memoryMb, cpus, pids }: ResourceLimits,
  { HostConfig: { Memory, NanoCpus, PidsLimit } }: InspectedContainer,
): readonly string[] {
  return [
    ...unless(Memory === memoryMb * mebibyte, `its memory is not limited to ${memoryMb} MiB`),
    ...unless(NanoCpus === nanoCpus(cpus), `it is not limited to ${cpus} CPUs`),
    ...unless(PidsLimit === pids, `it is not limited to ${pids} processes`),
  ];
}

function compareMounts(
  mounts: readonly FolderMount[],
  { Mounts }: InspectedContainer,
): readonly string[] {
  const found = new Map((Mounts ?? []).map((it) => [it.Destination, it]));
  const missing = mounts.flatMap(({ source, target, readOnly }) => {
    const mount = found.get(target);
    found.delete(target);
    // An engine in a virtual machine has the same folder below another one.
    const isSame = mount?.Type === 'bind' && mount.Source.endsWith(source);
    return [
      ...unless(isSame, `its ${target} is not ${source}`),
      ...unless(mount?.RW !== readOnly, `its ${target} can${readOnly ? '' : 'not'} be written`),
    ];
  });
  const surplus = [...found.values()].filter(({ Type }) => Type !== 'tmpfs');
  return [...missing, ...surplus.map((it) => `it has ${it.Destination} mounted besides`)];
}

function toMount({ source, target, readOnly }: FolderMount): unknown {
  // The API has no nosuid or nodev for a bind mount; no-new-privileges and the missing capabilities stand in for them.
  return { Type: 'bind', Source: source, Target: target, ReadOnly: readOnly };
}

function optionsOf({ sizeMb, mode, options }: TmpfsMount): string {
  return ['rw', ...options, `size=${sizeMb}m`, `mode=${mode}`].join(',');
}

function nanoCpus(cpus: number): number {
  return Math.round(cpus * 1e9);
}

function namesOf(capabilities: readonly string[] | null | undefined): readonly string[] {
  return (capabilities ?? []).map((name) => name.toUpperCase().replace(/^CAP_/, ''));
}

/** Another container's, or the host's, is named by these words. */
function isOwn(mode: string | null | undefined): boolean {
  return !/^(host$|container:|ns:)/.test(mode ?? '');
}

function unless(isKept: boolean, clause: string): readonly string[] {
  return isKept ? [] : [clause];
}
