import { isAbsolute, join, normalize, resolve } from 'node:path';
import { z } from 'zod';
import { BerthError } from '../../../shared/base/errors.js';
import { defineChannelType } from '../channel-type.js';
import { terminalChannelType } from './terminal-protocol.js';
import type { SocketPlace } from './terminal-socket.js';

/** Commands reach the default instance at data/terminal.sock: it listens nowhere else. */
const defaultSchema = z.strictObject({});

const schema = z.strictObject({
  /** Below data/, or whole. Left out: data/<id>.sock. */
  socketPath: z
    .string()
    .min(1)
    .superRefine((path, context) => {
      const message = findPathProblem(path);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    })
    .optional(),
});

/** A socket takes the place of whatever has its name: no file of Berth's own ends like this. */
function findPathProblem(path: string): string | undefined {
  if (path === '') return undefined;
  if (!path.endsWith('.sock')) return 'must end with .sock';
  const isAbove = normalize(path).split('/')[0] === '..';
  if (!isAbsolute(path) && isAbove) return 'must lie below data/, or be a whole path';
  return undefined;
}

export const terminalType = defineChannelType({
  type: terminalChannelType,
  wiresItself: true,
  sendsAreIdempotent: true,
  hasListeners: true,
  configFor: (id): typeof schema | typeof defaultSchema =>
    id === terminalChannelType ? defaultSchema : schema,
  build: async ({ id, settings, newId, log }, config) => {
    const { TerminalChannel } = await import('./terminal-channel.js');
    const place = placeOf(id, settings.dataDir, 'socketPath' in config ? config : {});
    return new TerminalChannel({ id, place, newId, log });
  },
});

function placeOf(
  id: string,
  dataDir: string,
  { socketPath }: { readonly socketPath?: string | undefined },
): SocketPlace {
  const path = resolve(dataDir, socketPath ?? `${id}.sock`);
  const homesOwn = join(dataDir, `${terminalChannelType}.sock`);
  const isHomesOwn = id === terminalChannelType;
  if (isHomesOwn || path !== homesOwn) return { path, isHomesOwn };
  throw new BerthError('in_use', `${path} is the socket of the channel ${terminalChannelType}.`, {
    next: 'Name another socketPath.',
  });
}
