import { describe, expect, it } from 'vitest';
import { findDifference, formatFingerprint, type Fingerprint } from './fingerprint.js';

const now: Fingerprint = {
  in: '1:2',
  out: '1:3',
  home: '1:4',
  agent: '1:5',
  image: 'berth-agent%3A1',
  provider: 'echo',
  limits: 'none,1024,1,256',
  user: '1000:1000',
  runner: 'abc',
};
const line = formatFingerprint(now);

describe('the fingerprint of a container', () => {
  it('is one line that fits a label', () => {
    expect(line).toBe(
      'v1 in=1:2 out=1:3 home=1:4 agent=1:5 image=berth-agent%3A1 provider=echo limits=none,1024,1,256 user=1000:1000 runner=abc',
    );
  });

  it.each<[string, Fingerprint, string | undefined, boolean]>([
    ['nothing has changed', now, undefined, false],
    ['in/ is another folder', { ...now, in: '1:9' }, 'its session folder was replaced', true],
    ['out/ is on another disk', { ...now, out: '9:3' }, 'its session folder was replaced', true],
    ['out/ is gone', { ...now, out: 'none' }, 'its session folder was replaced', true],
    ['its home is another', { ...now, home: '1:9' }, 'its own home folder was replaced', false],
    [
      'the folder of groups/ is another of the same name',
      { ...now, agent: '1:9' },
      "its agent group's folder was replaced",
      false,
    ],
    ['the image is another', { ...now, image: 'x' }, 'its image has changed', false],
    ['the provider is another', { ...now, provider: 'x' }, 'its provider has changed', false],
    [
      'it may use the network',
      { ...now, limits: 'bridge,1024,1,256' },
      'its container config has changed',
      false,
    ],
    ['the user is another', { ...now, user: '1:1' }, 'it is to run as another user', false],
    ['the runner is told otherwise', { ...now, runner: 'x' }, 'its settings have changed', false],
    [
      'several things have changed: what cuts it off comes first',
      { ...now, image: 'x', in: '1:9' },
      'its session folder was replaced',
      true,
    ],
    ['it cannot be found out', { ...now, agent: undefined, image: undefined }, undefined, false],
    ['something is recorded that it does not know', { ...now, paths: 'p' }, undefined, false],
  ])('tells whether %s', (_what, present, reason, isCutOff) => {
    expect(findDifference(line, present)?.reason).toBe(reason);
    expect(findDifference(line, present)?.isCutOff ?? false).toBe(isCutOff);
  });

  it('of a process tells that its paths lead elsewhere', () => {
    const started = formatFingerprint({ ...now, paths: 'a' });
    expect(findDifference(started, { ...now, paths: 'b' })).toEqual({
      part: 'paths',
      reason: 'its home was moved',
      isCutOff: true,
    });
  });

  it.each([null, '', 'v2 in=1:2'])('%j is that of another version', (startedWith) => {
    expect(findDifference(startedWith, now)).toEqual({
      part: null,
      reason: 'it was started by another version',
      isCutOff: false,
    });
  });

  it('leaves out what is to be ignored', () => {
    expect(findDifference(line, { ...now, in: '1:9' }, new Set(['in']))).toBeUndefined();
  });
});
