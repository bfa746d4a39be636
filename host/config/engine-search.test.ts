import { describe, expect, it } from 'vitest';
import { findEngineSearch } from './engine-search.js';

describe('where an engine may listen', () => {
  it('is said by what Docker itself reads', () => {
    const environment = {
      HOME: '/home/ann',
      DOCKER_CONTEXT: 'rootless',
      DOCKER_CONFIG: '/etc/ann-docker',
      XDG_RUNTIME_DIR: '/run/ann',
    };
    expect(findEngineSearch(undefined, environment, 1000)).toEqual({
      dockerHost: undefined,
      dockerContext: 'rootless',
      dockerConfigDir: '/etc/ann-docker',
      runtimeDir: '/run/ann',
    });
  });

  it('is in the usual folders where nothing is said, or something that is no path', () => {
    const environment = { HOME: '/home/ann', XDG_RUNTIME_DIR: 'run', DOCKER_CONTEXT: '' };
    expect(findEngineSearch(undefined, environment, 1000)).toEqual({
      dockerHost: undefined,
      dockerContext: undefined,
      dockerConfigDir: '/home/ann/.docker',
      runtimeDir: '/run/user/1000',
    });
    expect(findEngineSearch('tcp://host', {}, undefined)).toEqual({
      dockerHost: 'tcp://host',
      dockerContext: undefined,
      dockerConfigDir: undefined,
      runtimeDir: undefined,
    });
  });
});
