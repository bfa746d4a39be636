import { en } from 'zod/locales';
// The small zod: it starts 20 ms faster than the whole one, in every container.
import * as z from 'zod/mini';
import { BerthError } from '../base/errors.js';

/** The place that a message comes from or goes to. */
export interface Address {
  readonly channelType: string;
  readonly platformId: string;
  readonly threadId: string | null;
}

/** A name that the agent may send to. */
export interface Destination {
  readonly name: string;
  readonly displayName: string | null;
  readonly type: 'channel' | 'agent';
  readonly channelType: string | null;
  readonly platformId: string | null;
  readonly agentGroupId: string | null;
}

export const messageKinds = ['chat', 'task', 'webhook', 'system'] as const;
export type MessageKind = (typeof messageKinds)[number];

/**
 * messages_in.status. `context`: read with the next turn, wakes nobody. `completed` and `failed` are final
 * and are copied from the runner's acks; `cancelled` is a task that a person took back before it began.
 */
export type InboundStatus = 'pending' | 'context' | 'completed' | 'failed' | 'cancelled';

/** processing_ack.status. */
export type AckStatus = 'processing' | 'completed' | 'failed';

/** delivered.status. `sending`: begun, outcome not known yet. */
export type DeliveryStatus = 'sending' | 'delivered' | 'failed';

const attachmentSchema = z.object({
  /** The name for people, as the platform gave it. */
  name: z.string(),
  /** The file's name below in/inbox/<message id>/. */
  file: z.string(),
  mimeType: z.optional(z.string()),
  sizeBytes: z.optional(z.int().check(z.nonnegative())),
});

const chatInSchema = z.object({
  text: z.string(),
  sender: z.object({ id: z.string(), name: z.optional(z.string()) }),
  /** The agent was addressed by name, or the chat is a direct one. */
  mentioned: z._default(z.boolean(), false),
  /** The platform's id of the message this one answers. */
  replyTo: z.optional(z.string()),
  attachments: z._default(z.array(attachmentSchema), []),
  /** Of a message from an agent: through how many agents it has come since a person said something. */
  hops: z.optional(z.int()),
});

const taskInSchema = z.object({
  text: z.string(),
  name: z.optional(z.string()),
  /** IANA name of what its recurrence is told in; left out: the chat's, or the install's. */
  timeZone: z.optional(z.string()),
});

const webhookInSchema = z.object({
  source: z.string(),
  event: z.optional(z.string()),
  payload: z.unknown(),
});

const systemInSchema = z.object({
  event: z.string(),
  text: z.string(),
  /** Of an answer to an action: its name, and the messages_out row that asked for it. */
  action: z.optional(z.string()),
  requestId: z.optional(z.string()),
  result: z.optional(z.unknown()),
});

const chatOutSchema = z.discriminatedUnion('operation', [
  z.object({
    operation: z.literal('post'),
    text: z.string(),
    /** Names of files below out/outbox/<message id>/. */
    files: z._default(z.array(z.string()), []),
  }),
  /** Replaces the text of an earlier messages_out row. */
  z.object({ operation: z.literal('edit'), messageId: z.string(), text: z.string() }),
  /** Puts an emoji on a messages_out or messages_in row. */
  z.object({ operation: z.literal('react'), messageId: z.string(), emoji: z.string() }),
]);

const systemOutSchema = z.object({
  action: z.string(),
  parameters: z._default(z.record(z.string(), z.unknown()), {}),
});

export type Attachment = z.infer<typeof attachmentSchema>;
export type ChatIn = z.infer<typeof chatInSchema>;
export type ChatOut = z.infer<typeof chatOutSchema>;
export type TaskIn = z.infer<typeof taskInSchema>;
export type WebhookIn = z.infer<typeof webhookInSchema>;
export type SystemIn = z.infer<typeof systemInSchema>;
export type SystemOut = z.infer<typeof systemOutSchema>;

export type InboundContent =
  | { readonly kind: 'chat'; readonly chat: ChatIn }
  | { readonly kind: 'task'; readonly task: TaskIn }
  | { readonly kind: 'webhook'; readonly webhook: WebhookIn }
  | { readonly kind: 'system'; readonly system: SystemIn };

/** Only chats and system actions leave a container. */
export type OutboundContent =
  | { readonly kind: 'chat'; readonly chat: ChatOut }
  | { readonly kind: 'system'; readonly system: SystemOut };

/** A row of messages_in, parsed. */
export interface InboundMessage {
  readonly id: string;
  readonly seq: number;
  readonly timestamp: string;
  readonly status: InboundStatus;
  readonly tries: number;
  readonly address: Address | null;
  readonly content: InboundContent;
}

/** Throws content_invalid with where and why. */
export function parseInboundContent(kind: string, json: string): InboundContent {
  switch (kind) {
    case 'chat':
      return { kind, chat: parseWith(chatInSchema, json) };
    case 'task':
      return { kind, task: parseWith(taskInSchema, json) };
    case 'webhook':
      return { kind, webhook: parseWith(webhookInSchema, json) };
    case 'system':
      return { kind, system: parseWith(systemInSchema, json) };
    default:
      throw new BerthError(
        'content_invalid',
        `No inbound message is of kind ${JSON.stringify(kind)}.`,
      );
  }
}

/** Throws content_invalid with where and why. `operation` may be left out: it is `post` then. */
export function parseOutboundContent(kind: string, json: string): OutboundContent {
  switch (kind) {
    case 'chat':
      return { kind, chat: parseWith(chatOutSchema, json, { operation: 'post' }) };
    case 'system':
      return { kind, system: parseWith(systemOutSchema, json) };
    default:
      throw new BerthError(
        'content_invalid',
        `No outbound message is of kind ${JSON.stringify(kind)}.`,
      );
  }
}

/** The content column for a parsed message. */
export function encodeContent(content: InboundContent | OutboundContent): string {
  switch (content.kind) {
    case 'chat':
      return JSON.stringify(content.chat);
    case 'task':
      return JSON.stringify(content.task);
    case 'webhook':
      return JSON.stringify(content.webhook);
    case 'system':
      return JSON.stringify(content.system);
  }
}

const { localeError } = en();

function parseWith<T>(schema: z.ZodMiniType<T>, json: string, defaults: object = {}): T {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new BerthError('content_invalid', 'The content is not JSON.', { cause: error });
  }
  const fields =
    typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  const result = schema.safeParse(fields === undefined ? value : { ...defaults, ...fields }, {
    error: localeError,
  });
  if (result.success) return result.data;
  throw new BerthError(
    'content_invalid',
    `The content does not fit: ${describeIssues(result.error)}.`,
  );
}

function describeIssues(error: z.core.$ZodError): string {
  return error.issues
    .map((issue) => `${issue.path.join('.') || 'content'}: ${issue.message}`)
    .join('; ');
}
