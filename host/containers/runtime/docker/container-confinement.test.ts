import { describe, expect, it } from 'vitest';
import {
  countsAsTheMachine,
  findProcessDifferences,
  parseStatus,
  parseUidMap,
  readProcess,
  type ProcessFacts,
} from './container-confinement.js';

const status = `Name:	docker-init
Umask:	0022
Uid:	1000	1000	1000	1000
Gid:	1000	1000	1000	1000
CapInh:	0000000000000000
CapPrm:	0000000000000000
CapEff:	0000000000000000
NoNewPrivs:	1
Seccomp:	2
Seccomp_filters:	1
`;
const posture = { capabilities: [], user: '1000:1000' };

function factsOf(change: (text: string) => string = (text) => text): ProcessFacts {
  const uidMap = parseUidMap('         0          0 4294967295\n');
  return { ...parseStatus(change(status)), uidMap, sharesControlGroups: false };
}

function clausesOf(facts: ProcessFacts, user: string | undefined = '1000:1000'): readonly string[] {
  return findProcessDifferences({ ...posture, user }, facts).map(({ clause }) => clause);
}

describe('the first process of a container', () => {
  it('that has what was asked for differs in nothing', () => {
    expect(clausesOf(factsOf())).toEqual([]);
  });

  it.each<[clause: string, change: (text: string) => string]>([
    [
      'its program has capabilities (CapEff 00000000a80425fb)',
      (it) => it.replace(/CapEff:.*/, 'CapEff:\t00000000a80425fb'),
    ],
    [
      'its program has capabilities (CapEff 0000000000000000)',
      (it) => it.replace(/CapPrm:.*/, 'CapPrm:\t0000000000000001'),
    ],
    [
      'its program may gain privileges (NoNewPrivs 0)',
      (it) => it.replace('NoNewPrivs:\t1', 'NoNewPrivs:\t0'),
    ],
    [
      'no seccomp profile filters its system calls (Seccomp 0)',
      (it) => it.replace('Seccomp:\t2', 'Seccomp:\t0'),
    ],
    [
      'no seccomp profile filters its system calls (Seccomp unknown)',
      (it) => it.replace(/Seccomp.*\n/g, ''),
    ],
    [
      'its program runs as uid 1000/0/1000/1000 instead of 1000',
      (it) => it.replace('Uid:\t1000\t1000', 'Uid:\t1000\t0'),
    ],
  ])('is said to differ: %s', (clause, change) => {
    expect(clausesOf(factsOf(change))).toEqual([clause]);
  });

  it('that sees the control groups of others is said to differ, where that can be read', () => {
    expect(clausesOf({ ...factsOf(), sharesControlGroups: true })).toEqual([
      "it sees others' control groups",
    ]);
    expect(clausesOf({ ...factsOf(), sharesControlGroups: undefined })).toEqual([]);
  });

  it('in a user namespace has the uid that its own counts', () => {
    const uidMap = parseUidMap('0 100000 65536\n');
    const remapped = { ...factsOf((it) => it.replaceAll('\t1000', '\t101000')), uidMap };
    expect(clausesOf(remapped)).toEqual([]);
    expect(clausesOf({ ...factsOf(), uidMap })).toHaveLength(1);
  });

  it('of an unknown user may be anybody but root, of the machine or of its namespace', () => {
    const uidMap = parseUidMap('0 100000 65536\n');
    const as = (uid: number): ProcessFacts => ({
      ...factsOf((it) => it.replaceAll('\t1000', `\t${uid}`)),
      uidMap,
    });
    expect(findProcessDifferences({ ...posture, user: undefined }, as(101_000))).toEqual([]);
    for (const uid of [0, 100_000]) {
      expect(findProcessDifferences({ ...posture, user: undefined }, as(uid))).toMatchObject([
        {
          clause: `its program runs as uid ${Array(4).fill(uid).join('/')} instead of another than root`,
        },
      ]);
    }
  });

  it('has uids that a daemon in a user namespace cannot judge', () => {
    expect(clausesOf({ ...factsOf(), uids: undefined })).toEqual([]);
    expect(countsAsTheMachine(parseUidMap('         0          0 4294967295\n'))).toBe(true);
    expect(countsAsTheMachine(parseUidMap('         0          0          1\n'))).toBe(false);
    expect(countsAsTheMachine(parseUidMap('         0       1000 4294967295\n'))).toBe(false);
  });

  it('may still be about to become it', () => {
    expect(factsOf().isBeingMade).toBe(false);
    expect(factsOf((it) => it.replace('docker-init', 'runc:[2:INIT]')).isBeingMade).toBe(true);
  });

  it('is not taken for another process that has its number', async () => {
    expect(await readProcess('0123456789abcdef', process.pid)).toBeUndefined();
    expect(await readProcess('', process.pid)).toBeUndefined();
  });
});
