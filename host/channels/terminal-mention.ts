import type { MessageLine } from './terminal-protocol.js';

/** Nobody has a name in the terminal: an `@` that begins a word speaks to the agent, whatever the word. */
export function isMention({ text, mention }: Pick<MessageLine, 'text' | 'mention'>): boolean {
  return mention ?? /(?<![\p{L}\p{N}_.@-])@[\p{L}\p{N}_]/u.test(text);
}
