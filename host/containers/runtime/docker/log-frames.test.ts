import { describe, expect, it } from 'vitest';
import { logFrame } from '../../../../test/fakes/engine-server.js';
import { readLogFrames } from './log-frames.js';

async function read(chunks: readonly Buffer[]): Promise<readonly [number, string][]> {
  async function* stream(): AsyncGenerator<Buffer> {
    for (const chunk of chunks) yield await Promise.resolve(chunk);
  }
  const frames: [number, string][] = [];
  for await (const { atMicros, bytes } of readLogFrames(stream())) {
    frames.push([atMicros, bytes.toString()]);
  }
  return frames;
}

const second = Date.parse('2026-01-02T03:04:05Z') * 1_000;

describe('the multiplexed log stream', () => {
  const bytes = Buffer.concat([
    logFrame('2026-01-02T03:04:05.000000001Z', 'one\n'),
    logFrame('2026-01-02T03:04:05.123456789Z', 'zwei – größer\n', 2),
    logFrame('2026-01-02T04:04:05.5+01:00', 'three\n'),
  ]);
  const frames = [
    [second, 'one\n'],
    [second + 123_456, 'zwei – größer\n'],
    [second + 500_000, 'three\n'],
  ];

  it('is taken apart into times in microseconds and output', async () => {
    expect(await read([bytes])).toEqual(frames);
  });

  it('may arrive in pieces of any size', async () => {
    const pieces = [...bytes].map((byte) => Buffer.from([byte]));
    expect(await read(pieces)).toEqual(frames);
  });

  it('loses only the frame that was cut off by its end', async () => {
    expect(await read([bytes.subarray(0, -3)])).toEqual(frames.slice(0, 2));
  });

  it('is refused when it is something else', async () => {
    await expect(read([Buffer.from('plain text, no frames')])).rejects.toMatchObject({
      code: 'engine_failed',
    });
  });
});
