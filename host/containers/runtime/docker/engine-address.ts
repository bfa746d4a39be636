import { BerthError } from '../../../../shared/base/errors.js';

/** The address that a container engine listens at. */
export type EngineAddress =
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

const defaultSocket = '/var/run/docker.sock';
const defaultPort = 2375;

/**
 * Reads what DOCKER_HOST may hold: `unix:///path`, `tcp://host:port`, or nothing for the usual socket.
 * Podman's socket is a unix:// address like any other. Throws config_invalid.
 */
export function parseEngineAddress(dockerHost: string | undefined): EngineAddress {
  const text = dockerHost?.trim() ?? '';
  if (text === '') return { kind: 'socket', path: defaultSocket };
  if (text.startsWith('unix://')) {
    const path = text.slice('unix://'.length);
    return { kind: 'socket', path: path === '' ? defaultSocket : path };
  }
  const url = text.startsWith('tcp://') && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '') {
    throw new BerthError(
      'config_invalid',
      `DOCKER_HOST=${text} is no address of a container engine.`,
      {
        next: 'Use unix:///path/to/socket or tcp://host:port.',
      },
    );
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return { kind: 'tcp', host, port: url.port === '' ? defaultPort : Number(url.port) };
}

/** The address as a person writes it. */
export function formatEngineAddress(address: EngineAddress): string {
  return address.kind === 'socket'
    ? `unix://${address.path}`
    : `tcp://${address.host}:${address.port}`;
}
