import { describe, expect, it } from 'vitest';
import { fromEngine } from './engine-errors.js';

describe('errors of the engine', () => {
  it('names the group docker when the socket is not ours to open', () => {
    const denied = Object.assign(new Error('connect EACCES'), { code: 'EACCES' });

    expect(fromEngine(denied, 'list containers', 'unix:///var/run/docker.sock')).toMatchObject({
      code: 'engine_unreachable',
      next: expect.stringContaining('group docker') as string,
    });
  });

  it.each([
    ['no such container', 404],
    ['that name is already in use', 409],
    ['OCI permission denied', 500],
  ])('understands what Podman means by a 500 with the cause %s', (cause, status) => {
    const error = Object.assign(new Error('server error'), {
      statusCode: 500,
      json: { cause, message: 'words' },
    });

    expect(fromEngine(error, 'start the container', 'unix:///x').facts).toEqual({ status });
  });

  it('keeps the words of an answer that is no JSON', () => {
    const error = Object.assign(new Error('(HTTP code 502) unexpected - bad gateway'), {
      statusCode: 502,
      json: Buffer.from('bad gateway'),
    });

    expect(fromEngine(error, 'list containers', 'unix:///x')).toMatchObject({
      code: 'engine_failed',
      message: expect.stringContaining('bad gateway') as string,
      facts: { status: 502 },
    });
  });
});
