/**
 * Messages as one text for a model. Everything that people wrote is escaped, so that nobody can speak in the
 * name of another or close a tag.
 */
import type { Attachment, InboundMessage } from '../shared/protocol/session-message.js';
import { inboxDir } from '../shared/protocol/workspace.js';

export interface PromptParts {
  readonly messages: readonly InboundMessage[];
  readonly context: readonly InboundMessage[];
  /** The place where the agent finds the files that came with a message. */
  readonly inDir: string;
}

/** Context first, in one block of its own, then the messages to be answered; one element each. */
export function renderPrompt({ messages, context, inDir }: PromptParts): string {
  const blocks = messages.map((message) => renderMessage(message, inDir));
  if (context.length > 0) {
    const lines = context.map((message) => renderMessage(message, inDir));
    blocks.unshift(`<context>\n${lines.join('\n')}\n</context>`);
  }
  return blocks.join('\n');
}

function renderMessage(message: InboundMessage, inDir: string): string {
  const { id, timestamp, content } = message;
  const common = { id, time: timestamp };
  switch (content.kind) {
    case 'chat': {
      const { sender, text, attachments, replyTo } = content.chat;
      const attributes = { ...common, from: sender.name ?? sender.id, 'reply-to': replyTo };
      const files = attachments.map((file) => renderAttachment(file, inboxDir(inDir, id)));
      return element('message', attributes, [escape(text), ...files].join('\n'));
    }
    case 'task':
      return element('task', { ...common, name: content.task.name }, escape(content.task.text));
    case 'webhook': {
      const { source, event, payload } = content.webhook;
      return element(
        'webhook',
        { ...common, source, event },
        escape(JSON.stringify(payload ?? null)),
      );
    }
    case 'system':
      return element(
        'system',
        { ...common, event: content.system.event },
        escape(content.system.text),
      );
  }
}

function renderAttachment({ name, file, mimeType }: Attachment, folder: string): string {
  return element('file', { name, path: `${folder}/${file}`, type: mimeType }, '');
}

function element(
  tag: string,
  attributes: Readonly<Record<string, string | undefined>>,
  body: string,
): string {
  const rendered = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}="${escape(value ?? '')}"`)
    .join('');
  return `<${tag}${rendered}>${body}</${tag}>`;
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
