/** How engines describe a container that they made as they were asked to: the fields that Berth reads. */
import type { CreateBody } from '../../host/containers/runtime/docker/docker-engine.js';
import type { InspectedContainer } from '../../host/containers/runtime/docker/docker-inspect.js';

interface AskedMount {
  readonly Source: string;
  readonly Target: string;
  readonly ReadOnly: boolean;
}

/** As Docker 20.10 answers. */
export function inspectedByDocker({ User, HostConfig }: CreateBody): InspectedContainer {
  return {
    AppArmorProfile: '',
    Config: { User },
    State: { Running: false, Pid: 0 },
    HostConfig: {
      Devices: null,
      DeviceRequests: null,
      IpcMode: 'private',
      PidMode: '',
      UTSMode: '',
      Runtime: 'runc',
      MaskedPaths: ['/proc/asound', '/proc/acpi', '/proc/kcore'],
      ...HostConfig,
      CapAdd: null,
    },
    Mounts: (HostConfig['Mounts'] as AskedMount[]).map(({ Source, Target, ReadOnly }) => ({
      Type: 'bind',
      Source,
      Destination: Target,
      RW: !ReadOnly,
    })),
  };
}

/** As Podman 4.3 answers to the same request. */
export function inspectedByPodman(body: CreateBody): InspectedContainer {
  const docker = inspectedByDocker(body);
  const capabilities =
    'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT';
  return {
    ...docker,
    HostConfig: {
      ...docker.HostConfig,
      CapAdd: [],
      CapDrop: capabilities.split(' '),
      CgroupnsMode: '',
      Devices: [],
      IpcMode: 'shareable',
      PidMode: 'private',
      UTSMode: 'private',
      Runtime: 'oci',
      MaskedPaths: null,
      Tmpfs: {
        '/run': 'rw,rprivate,nosuid,nodev,tmpcopyup',
        '/tmp': `${docker.HostConfig.Tmpfs?.['/tmp'] ?? ''},rprivate,tmpcopyup`,
        '/var/tmp': 'rw,rprivate,nosuid,nodev,tmpcopyup',
      },
      Ulimits: [
        { Name: 'RLIMIT_NOFILE', Hard: 4_096, Soft: 1_024 },
        { Name: 'RLIMIT_NPROC', Hard: 4_194_304, Soft: 4_194_304 },
        { Name: 'RLIMIT_CORE', Hard: 0, Soft: 0 },
      ],
    },
  };
}
