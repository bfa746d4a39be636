/**
 * Reads from /proc what the first process of a container may do: the kernel's word, where the engine only repeats what it was
 * asked for. Source: proc(5), user_namespaces(7), cgroup_namespaces(7).
 */
import { readFile, readlink } from 'node:fs/promises';
import type { Posture } from '../../spec/posture.js';
import type { PostureDifference } from './posture-difference.js';

export interface ProcessFacts {
  /** The low-level runtime still makes it what it is to be: its program has not begun. */
  readonly isBeingMade: boolean;
  /** Real, effective, saved and file system uid. Undefined: the daemon is in a user namespace, and does not see them. */
  readonly uids: readonly number[] | undefined;
  /** The process's own user namespace: `inside outside length` for each range. */
  readonly uidMap: readonly UidRange[];
  /** Hexadecimal masks: what it may do, and what it could take up. */
  readonly effective: string;
  readonly permitted: string;
  readonly noNewPrivileges: boolean;
  /** 0: nothing is filtered; 1: strict; 2: by a filter. Undefined: a kernel without seccomp. */
  readonly seccomp: number | undefined;
  /** It sees its control groups from the machine's root. Undefined where that may not be read. */
  readonly sharesControlGroups: boolean | undefined;
}

interface UidRange {
  readonly inside: number;
  readonly outside: number;
  readonly length: number;
}

/** `undefined`: no such process, or none that is the container's (its pid is counted elsewhere). */
export async function readProcess(
  containerId: string,
  pid: number,
): Promise<ProcessFacts | undefined> {
  try {
    if (!(await isInContainer(containerId, pid))) return undefined;
    const [status, uidMap, ourMap, sharesControlGroups] = await Promise.all([
      readFile(`/proc/${pid}/status`, 'utf8'),
      readFile(`/proc/${pid}/uid_map`, 'utf8'),
      readFile('/proc/self/uid_map', 'utf8'),
      isInOurNamespace(pid, 'cgroup'),
    ]);
    const facts = { ...parseStatus(status), uidMap: parseUidMap(uidMap), sharesControlGroups };
    return countsAsTheMachine(parseUidMap(ourMap)) ? facts : { ...facts, uids: undefined };
  } catch {
    return undefined;
  }
}

/** The path of a process's control group names its container, with Docker and Podman, cgroup v1 and v2. */
export async function isInContainer(containerId: string, pid: number): Promise<boolean> {
  const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  return containerId !== '' && groups.includes(containerId);
}

async function isInOurNamespace(pid: number, name: 'cgroup'): Promise<boolean | undefined> {
  const links = [`/proc/${pid}/ns/${name}`, `/proc/self/ns/${name}`].map((path) => readlink(path));
  const [its, ours] = await Promise.all(links.map((link) => link.catch(() => undefined)));
  return its === undefined || ours === undefined ? undefined : its === ours;
}

/** As the low-level runtimes call their processes that become a container's first one: `runc:[2:INIT]`. */
const runtimeNames = /^(runc|crun|youki)\b/;

export function parseStatus(text: string): Omit<ProcessFacts, 'uidMap' | 'sharesControlGroups'> {
  const fields = new Map(
    text.split('\n').map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at), line.slice(at + 1).trim()];
    }),
  );
  const seccomp = fields.get('Seccomp');
  return {
    isBeingMade: runtimeNames.test(fields.get('Name') ?? ''),
    uids: (fields.get('Uid') ?? '').split(/\s+/).map(Number),
    effective: fields.get('CapEff') ?? '',
    permitted: fields.get('CapPrm') ?? '',
    noNewPrivileges: fields.get('NoNewPrivs') === '1',
    seccomp: seccomp === undefined ? undefined : Number(seccomp),
  };
}

/** All uids are those of the machine. A process in a user namespace sees most others as those of nobody. */
export function countsAsTheMachine(ourMap: readonly UidRange[]): boolean {
  return ourMap.some(
    ({ inside, outside, length }) => inside === 0 && outside === 0 && length >= 2 ** 32 - 1,
  );
}

export function parseUidMap(text: string): readonly UidRange[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([inside, outside, length]) =>
      inside === undefined || outside === undefined || length === undefined
        ? []
        : [{ inside, outside, length }],
    );
}

const profile =
  'The engine must use its seccomp profile: take "seccomp-profile": "unconfined" out of /etc/docker/daemon.json (seccomp_profile in containers.conf), and see `docker info` for a kernel without seccomp.';
const engine =
  'Use the low-level runtime that the engine came with (runc, crun), and an engine that is up to date.';

/** `user`: `uid:gid`; undefined where nobody knows which it was started with, so that only root is refused. */
export function findProcessDifferences(
  posture: Pick<Posture, 'capabilities'> & { readonly user: string | undefined },
  facts: ProcessFacts,
): readonly PostureDifference[] {
  const { effective, permitted, noNewPrivileges, seccomp, sharesControlGroups } = facts;
  const hasCapabilities = [effective, permitted].some((mask) => !/^0+$/.test(mask));
  const checks: readonly (readonly [isKept: boolean, clause: string, remedy: string])[] = [
    [
      !hasCapabilities || posture.capabilities.length > 0,
      `its program has capabilities (CapEff ${effective})`,
      engine,
    ],
    [noNewPrivileges, 'its program may gain privileges (NoNewPrivs 0)', engine],
    [
      seccomp === 2,
      `no seccomp profile filters its system calls (Seccomp ${seccomp ?? 'unknown'})`,
      profile,
    ],
    [sharesControlGroups !== true, "it sees others' control groups", engine],
    compareUids(posture.user, facts),
  ];
  return checks.flatMap(([isKept, clause, remedy]) => (isKept ? [] : [{ clause, remedy }]));
}

/** A user namespace (userns-remap, a rootless engine) counts otherwise: root in it is nobody outside, and root all the same. */
function compareUids(
  user: string | undefined,
  { uids, uidMap }: ProcessFacts,
): readonly [isKept: boolean, clause: string, remedy: string] {
  if (uids === undefined) return [true, '', engine];
  const [uid = '0'] = (user ?? '').split(':');
  const forbidden = outsideOf(0, uidMap);
  const isRight =
    user === undefined
      ? uids.every((it) => it !== 0 && it !== forbidden)
      : uids.every((it) => it === outsideOf(Number(uid), uidMap));
  const wanted = user === undefined ? 'another than root' : uid;
  return [isRight, `its program runs as uid ${uids.join('/')} instead of ${wanted}`, engine];
}

function outsideOf(uid: number, map: readonly UidRange[]): number | undefined {
  const range = map.find(({ inside, length }) => uid >= inside && uid < inside + length);
  return range === undefined ? undefined : range.outside + uid - range.inside;
}
