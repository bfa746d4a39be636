import { join } from 'node:path';
import { toBerthError } from '../../../shared/base/errors.js';
import {
  readConversation,
  type ConversationRow,
} from '../../../shared/protocol/mailbox/conversation-reader.js';
import {
  parseInboundContent,
  parseOutboundContent,
  type InboundContent,
  type OutboundContent,
  type SystemOut,
} from '../../../shared/protocol/session-message.js';
import type { CommandContext } from '../command/command-context.js';
import { fromStoredJson } from './stored-json.js';
import { chatName } from '../../operations/references.js';
import { formatTable } from '../output/table.js';

/** Prints both files of a session as one conversation. `chat`: the session's own; null where it has several. */
export function printMessages(
  { output }: CommandContext,
  folder: string,
  { limit, chat }: { readonly limit: number; readonly chat: string | null },
): void {
  const rows = readConversation({ inDir: join(folder, 'in'), outDir: join(folder, 'out') }, limit);
  const lines = rows.map((row) => ({
    ...row,
    ...describeRow(row),
    to: findOtherChat(row, chat),
  }));
  output.result(
    lines.map((line) => ({ ...line, content: fromStoredJson(line.content) })),
    (width) =>
      formatTable(
        [
          { title: 'seq', value: ({ seq }) => `${seq}`, whole: true },
          {
            title: 'time (UTC)',
            value: ({ timestamp }) => timestamp.slice(0, 19).replace('T', ' '),
          },
          { title: 'who', value: ({ who }) => who },
          { title: 'status', value: ({ status }) => status },
          { title: 'text', value: ({ to, text }) => (to === null ? text : `(to ${to}) ${text}`) },
        ],
        lines,
        width,
        'Nothing was said yet.',
      ),
  );
}

/** Where a reply goes, where that is not the session's own chat. */
function findOtherChat(
  { direction, channelType, platformId }: ConversationRow,
  chat: string | null,
): string | null {
  if (direction === 'in' || channelType === null || platformId === null) return null;
  const to = chatName({ channelType, platformId });
  return to === chat ? null : to;
}

interface Saying {
  readonly who: string;
  readonly text: string;
}

/** Tells who said it, and what; a row that is no message says why. */
export function describeRow(row: ConversationRow): Saying {
  const { direction, kind, content } = row;
  const unreadable = (why: string): Saying => ({
    who: direction === 'in' ? kind : 'agent',
    text: `(unreadable: ${why})`,
  });
  if (content === null) return unreadable('its content is too long');
  try {
    return direction === 'in'
      ? describeInbound(parseInboundContent(kind, content))
      : describeOutbound(parseOutboundContent(kind, content));
  } catch (error) {
    return unreadable(toBerthError(error).message);
  }
}

function describeInbound(content: InboundContent): Saying {
  switch (content.kind) {
    case 'chat':
      return { who: content.chat.sender.name ?? content.chat.sender.id, text: content.chat.text };
    case 'task':
      return { who: content.task.name ?? 'task', text: content.task.text };
    case 'webhook':
      return { who: content.webhook.source, text: `(webhook ${content.webhook.event ?? ''})` };
    case 'system':
      return { who: 'system', text: content.system.text };
  }
}

/** With what it says to somebody, where it does. */
function describeAction({ action, parameters }: SystemOut): string {
  const said = [parameters['question'], parameters['text']].find(
    (one): one is string => typeof one === 'string',
  );
  return said === undefined ? `(action ${action})` : `(action ${action}) ${said}`;
}

function describeOutbound(content: OutboundContent): Saying {
  if (content.kind === 'system') return { who: 'agent', text: describeAction(content.system) };
  const { chat } = content;
  switch (chat.operation) {
    case 'post': {
      const files = chat.files.map((name) => `[file ${name}]`);
      return { who: 'agent', text: [chat.text, ...files].filter((part) => part !== '').join(' ') };
    }
    case 'edit':
      return { who: 'agent', text: `(changes ${chat.messageId} to) ${chat.text}` };
    case 'react':
      return { who: 'agent', text: `(reacts to ${chat.messageId}) ${chat.emoji}` };
  }
}
