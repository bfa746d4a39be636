import { BerthError } from '../../../../shared/base/errors.js';

/** A piece of a container's output: a line, or a part of a very long one. */
export interface LogFrame {
  /** When the engine took it, in whole microseconds since the epoch. */
  readonly atMicros: number;
  readonly bytes: Buffer;
}

const headerLength = 8;
const maxFrameLength = 1_048_576;

/**
 * Takes the engine's multiplexed log stream apart. Each frame is one byte of stream number (0 to 2), three
 * zeros, four bytes of length (big-endian), then a time and a space (we ask for timestamps), then output:
 * docs.docker.com, Engine API, ContainerAttach. Throws engine_failed when the stream is none.
 */
export async function* readLogFrames(stream: AsyncIterable<Buffer>): AsyncGenerator<LogFrame> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (;;) {
      const end = findFrameEnd(rest, start);
      if (end === undefined) break;
      yield parseFrame(rest.subarray(start + headerLength, end));
      start = end;
    }
    rest = rest.subarray(start);
  }
}

function findFrameEnd(buffer: Buffer, start: number): number | undefined {
  if (buffer.length < start + headerLength) return undefined;
  const length = buffer.readUInt32BE(start + 4);
  if (buffer.readUInt8(start) > 2 || length > maxFrameLength) {
    throw new BerthError(
      'engine_failed',
      'The container engine sent a log that is not multiplexed.',
    );
  }
  const end = start + headerLength + length;
  return buffer.length < end ? undefined : end;
}

function parseFrame(frame: Buffer): LogFrame {
  const space = frame.indexOf(0x20);
  const atMicros = space < 0 ? NaN : parseMicros(frame.toString('latin1', 0, space));
  if (Number.isNaN(atMicros)) return { atMicros: 0, bytes: frame };
  return { atMicros, bytes: frame.subarray(space + 1) };
}

/** RFC 3339 with up to nine decimals; NaN when it is something else. */
function parseMicros(text: string): number {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (match === null) return NaN;
  const [, seconds = '', decimals = '', zone = ''] = match;
  return Date.parse(seconds + zone) * 1_000 + Number(decimals.padEnd(6, '0').slice(0, 6));
}
