/**
 * The terminal's wire: one JSON object a line over a Unix socket. Fields and types may be added; a client
 * ignores what it does not know.
 */
import { z } from 'zod';
import { BerthError } from '../../../shared/base/errors.js';
import { findNameProblem, normalizeName } from '../../../shared/base/name-rules.js';
import { toWellFormed } from '../../../shared/base/well-formed.js';
import { describeIssues } from '../../../shared/protocol/plain-words.js';

export const terminalChannelType = 'terminal';

/** The longest line a client may send, in bytes. Content made of it stays below maxContentBytes. */
export const maxClientLineBytes = 512 * 1024;

/** The longest line a server may send, in bytes: content of maxContentBytes, escaped once more, fits. */
export const maxServerLineBytes = 8 * 1024 * 1024;

/** A chat, thread, person or message id: short, harmless in a table or a log, and not to be taken for another. */
export const nameSchema = z
  .string()
  .min(1)
  .max(200)
  .superRefine((name, context) => {
    const problem = findNameProblem(name);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });

/** However its letters were composed (NFC, NFD), it is the same chat, thread or person. */
const spokenNameSchema = nameSchema.overwrite(normalizeName);

const clientLineSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('message'),
    platformId: spokenNameSchema,
    threadId: spokenNameSchema.nullable().default(null),
    sender: spokenNameSchema.default('me'),
    text: z.string().min(1).overwrite(toWellFormed),
    /** Whether the agent is spoken to; left out, an `@` before a word in the text says so. */
    mention: z.boolean().optional(),
    /** Known again when it comes twice in the same chat. */
    id: nameSchema.nullable().default(null),
  }),
  /** Answers the `question` of a reply. */
  z.object({
    type: z.literal('answer'),
    platformId: spokenNameSchema,
    threadId: spokenNameSchema.nullable().default(null),
    sender: spokenNameSchema.default('me'),
    /** The question's id. */
    question: nameSchema,
    /** An option, or the number of one; or any text, where the question says `freeText`. */
    text: z.string().min(1).overwrite(toWellFormed),
    /** Known again when it comes twice in the same chat. */
    id: nameSchema.nullable().default(null),
  }),
  z.object({ type: z.literal('subscribe'), platformId: spokenNameSchema }),
]);

const spoken = {
  platformId: z.string(),
  threadId: z.string().nullable(),
  inReplyTo: z.string().nullable(),
  /** The same id twice is the same thing said twice. */
  messageId: z.string(),
};

const serverLineSchema = z.discriminatedUnion('type', [
  /** The message is on disk. */
  z.object({
    type: z.literal('ack'),
    id: z.string().nullable(),
    messageId: z.string(),
    duplicate: z.boolean().optional(),
    /** Kept as context: no reply and no `done` will come for it. */
    contextOnly: z.boolean().optional(),
  }),
  z.object({
    type: z.literal('reply'),
    ...spoken,
    text: z.string(),
    /** Paths on the daemon's machine. */
    files: z.array(z.object({ name: z.string(), path: z.string() })),
    /** It asks: one of the options is an answer, or its number from 1 on. */
    question: z
      .object({
        id: z.string(),
        options: z.array(z.string()).readonly(),
        freeText: z.boolean(),
        expiresAt: z.string(),
      })
      .optional(),
  }),
  /** `target`: the messageId of an earlier reply. */
  z.object({ type: z.literal('edit'), ...spoken, target: z.string(), text: z.string() }),
  /** `target`: the messageId of an earlier reply, or the client's id of a message. */
  z.object({ type: z.literal('react'), ...spoken, target: z.string(), emoji: z.string() }),
  /** No more replies come for this message. */
  z.object({
    type: z.literal('done'),
    platformId: z.string(),
    messageId: z.string(),
    status: z.enum(['completed', 'failed']),
  }),
  z.object({
    type: z.literal('error'),
    code: z.string(),
    message: z.string(),
    next: z.string().optional(),
    id: z.string().optional(),
  }),
]);

export type ClientLine = z.infer<typeof clientLineSchema>;
export type MessageLine = Extract<ClientLine, { type: 'message' | 'answer' }>;
export type ServerLine = z.infer<typeof serverLineSchema>;
export type ErrorLine = Extract<ServerLine, { type: 'error' }>;
/** The agent does these in a chat. */
export type SpokenLine = Extract<ServerLine, { type: 'reply' | 'edit' | 'react' }>;

export function encodeLine(line: z.input<typeof clientLineSchema> | ServerLine): string {
  return `${JSON.stringify(line)}\n`;
}

/** The line, or the error line that answers it: `not_json` or `invalid_input`. */
export function parseClientLine(text: string): ClientLine | ErrorLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { type: 'error', code: 'not_json', message: 'The line is not JSON.' };
  }
  const result = clientLineSchema.safeParse(value);
  if (result.success) return result.data;
  return {
    type: 'error',
    code: 'invalid_input',
    message: `The line does not fit: ${describeIssues(result.error, 'the line')}.`,
    ...idOf(value),
  };
}

/** Undefined for what this program does not know. */
export function parseServerLine(text: string): ServerLine | undefined {
  try {
    return serverLineSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function idOf(value: unknown): { id?: string } {
  const parsed = z.object({ id: nameSchema }).safeParse(value);
  return parsed.success ? { id: parsed.data.id } : {};
}

/** A longer address is cut off without a word by the system: sun_path in unix(7) and in macOS's sys/un.h. */
const maxSocketPathBytes = process.platform === 'darwin' ? 103 : 107;

/** Throws config_invalid. */
export function assertSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= maxSocketPathBytes) return;
  throw new BerthError(
    'config_invalid',
    `The socket path ${path} has ${bytes} bytes; the system allows ${maxSocketPathBytes}.`,
    { next: 'Set BERTH_HOME to a shorter path.', facts: { path, bytes } },
  );
}
