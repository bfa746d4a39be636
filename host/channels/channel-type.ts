/** A type of channel: how its config is read, and how an instance is made. Loading this loads no platform's library. */
import type { z } from 'zod';
import { BerthError } from '../../shared/base/errors.js';
import type { NewId } from '../../shared/base/ids.js';
import type { Logger } from '../../shared/base/logger.js';
import { describeIssues } from '../../shared/protocol/plain-words.js';
import type { Channel, ChannelFacts } from './channel.js';

/** An instance is given this. */
export interface ChannelHost {
  /** The instance's own: `channelType` of each address that it makes. */
  readonly id: string;
  readonly settings: {
    /** The home's data folder, which is closed to other users. */
    readonly dataDir: string;
  };
  readonly newId: NewId;
  readonly log: Logger;
}

export interface ChannelType extends ChannelFacts {
  /** Also the id of its default instance. */
  readonly type: string;
  /**
   * Replies wait until somebody listens on their chat, and the channel tells when. False: a chat of it can be reached
   * whenever the channel runs.
   */
  readonly hasListeners: boolean;
  /** The schema for the config of the instance of that id. It holds no secrets: config is shown and backed up in clear. */
  readonly configFor: (id: string) => z.ZodObject;
  /** Throws invalid_input with what does not fit. */
  readonly build: (host: ChannelHost, config: unknown) => Promise<Channel>;
}

interface Definition<Schema extends z.ZodObject> extends Omit<ChannelType, 'configFor' | 'build'> {
  readonly configFor: (id: string) => Schema;
  /** Loads what it needs itself, so that a home without such a channel never loads it. */
  readonly build: (host: ChannelHost, config: z.output<Schema>) => Promise<Channel>;
}

/** Joins the schema of a config and what is built from it. */
export function defineChannelType<Schema extends z.ZodObject>(
  definition: Definition<Schema>,
): ChannelType {
  const { type, configFor, build } = definition;
  return {
    ...definition,
    build: (host, config) => build(host, parseWith(configFor(host.id), { type, config })),
  };
}

/** The config of the instance of that id. Throws invalid_input with what does not fit. */
export function parseChannelConfig(
  { type, configFor }: ChannelType,
  id: string,
  config: unknown,
): Readonly<Record<string, unknown>> {
  return parseWith(configFor(id), { type, config });
}

function parseWith<Schema extends z.ZodObject>(
  schema: Schema,
  { type, config }: { readonly type: string; readonly config: unknown },
): z.output<Schema> {
  const result = schema.safeParse(config);
  if (result.success) return result.data;
  const keys = Object.keys(schema.shape).join(', ');
  throw new BerthError(
    'invalid_input',
    `The config of a ${type} channel cannot be used: ${describeIssues(result.error, 'it')}.`,
    { next: keys === '' ? 'It has nothing to set.' : `It may have: ${keys}.`, cause: result.error },
  );
}
