import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface EngineServer {
  /** For DOCKER_HOST. */
  readonly dockerHost: string;
  /** Ends open connections too. */
  close(): Promise<void>;
}

/** Something that listens where an engine would, on a Unix socket of its own. */
export async function startEngineServer(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<EngineServer> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-engine-'));
  const path = join(folder, 'engine.sock');
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    dockerHost: `unix://${path}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Output as the engine sends it: one frame of the multiplexed log stream. */
export function logFrame(time: string, text: string, stream: 1 | 2 = 1): Buffer {
  const body = Buffer.from(`${time} ${text}`);
  const header = Buffer.alloc(8);
  header.writeUInt8(stream, 0);
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
}
