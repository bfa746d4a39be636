import { describe, expect, it } from 'vitest';
import { formatEngineAddress, parseEngineAddress } from './engine-address.js';

describe('the address of an engine', () => {
  it.each([
    [undefined, 'unix:///var/run/docker.sock'],
    ['', 'unix:///var/run/docker.sock'],
    ['unix://', 'unix:///var/run/docker.sock'],
    ['unix:///run/user/1000/podman/podman.sock', 'unix:///run/user/1000/podman/podman.sock'],
    ['tcp://engine.example:2377', 'tcp://engine.example:2377'],
    ['tcp://engine.example', 'tcp://engine.example:2375'],
    ['tcp://[::1]:2375', 'tcp://::1:2375'],
  ])('%s is read as %s', (dockerHost, address) => {
    expect(formatEngineAddress(parseEngineAddress(dockerHost))).toBe(address);
  });

  it.each(['ssh://host', 'npipe:////./pipe/docker_engine', 'engine:2375', 'tcp://', 'tcp:// x'])(
    '%s is refused with what to write instead',
    (dockerHost) => {
      expect(() => parseEngineAddress(dockerHost)).toThrow(
        expect.objectContaining({
          code: 'config_invalid',
          next: expect.stringContaining('unix:///path') as string,
        }),
      );
    },
  );
});
