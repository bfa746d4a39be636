import { request, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { CreateBody } from '../../host/containers/runtime/docker/docker-engine.js';
import { parseEngineAddress } from '../../host/containers/runtime/docker/engine-address.js';
import { startEngineServer, type EngineServer } from './engine-server.js';

/** Changes a request to create a container. */
export type ChangeCreate = (body: CreateBody) => CreateBody;

interface InspectAnswer {
  HostConfig: Record<string, unknown>;
}

export interface EngineProxyOptions {
  readonly create: ChangeCreate;
  /** Fields of HostConfig that it claims of every container, whatever is true. */
  readonly claim?: Readonly<Record<string, unknown>>;
}

/** Something between Berth and the machine's real engine, that does not pass everything on as it was asked for. */
export async function startEngineProxy({
  create,
  claim = {},
}: EngineProxyOptions): Promise<EngineServer> {
  const forward = async (from: IncomingMessage, to: ServerResponse): Promise<void> => {
    const { method, url = '' } = from;
    const asked = await buffer(from);
    const isCreate = method === 'POST' && /\/containers\/create\b/.test(url);
    const isInspect = method === 'GET' && /\/containers\/[^/]+\/json/.test(url);
    const body = isCreate ? changeJson(asked, create) : asked;
    const headers = { ...from.headers, 'content-length': String(body.length) };
    delete headers['transfer-encoding'];
    const call = request({ ...engineAddress(), method, path: url, headers }, (answer) => {
      const tell = async (): Promise<void> => {
        const told = await buffer(answer);
        const changed = changeJson(told, (it: InspectAnswer) =>
          'HostConfig' in it ? { ...it, HostConfig: { ...it.HostConfig, ...claim } } : it,
        );
        to.writeHead(answer.statusCode ?? 500, { 'content-type': 'application/json' }).end(changed);
      };
      if (isInspect) void tell();
      else answer.pipe(to.writeHead(answer.statusCode ?? 500, answer.headers));
    });
    call.on('error', () => to.destroy());
    to.on('close', () => call.destroy());
    call.end(body);
  };
  return await startEngineServer((from, to) => {
    forward(from, to).catch(() => to.destroy());
  });
}

function engineAddress(): object {
  const address = parseEngineAddress(process.env['DOCKER_HOST']);
  return address.kind === 'socket'
    ? { socketPath: address.path }
    : { host: address.host, port: address.port };
}

function changeJson<T>(json: Buffer, change: (value: T) => T): Buffer {
  return Buffer.from(JSON.stringify(change(JSON.parse(json.toString()) as T)));
}

/** A field of HostConfig that the engine never receives. */
export function without(field: string): ChangeCreate {
  return ({ HostConfig, ...body }) => {
    const left = Object.entries(HostConfig).filter(([name]) => name !== field);
    return { ...body, HostConfig: Object.fromEntries(left) };
  };
}

export function withHostConfig(fields: CreateBody['HostConfig']): ChangeCreate {
  return (body) => ({ ...body, HostConfig: { ...body.HostConfig, ...fields } });
}
