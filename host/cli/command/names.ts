/** Names that are typed: of chats, of people, of things. */
import { findNameProblem, normalizeName } from '../../../shared/base/name-rules.js';
import { terminalChannelType } from '../../channels/terminal/terminal-protocol.js';
import type { Store } from '../../store/store.js';
import { WrongValue } from './command-context.js';

/** A chat written as channel:platformId. Throws invalid_input. */
export function parseChatName(
  text: string,
  store: Store,
): { channelType: string; platformId: string } {
  const [, channelType, platformId] = /^([a-z][a-z0-9-]*):(\P{Cc}{1,200})$/u.exec(text) ?? [];
  if (channelType !== undefined && platformId !== undefined) {
    const problem = findNameProblem(platformId);
    if (problem === undefined) {
      // Ids of a terminal are what people type, in one spelling; those of other platforms are kept as they are.
      const isTyped = isTerminal(store, channelType);
      return { channelType, platformId: isTyped ? normalizeName(platformId) : platformId };
    }
    throw new WrongValue(`${JSON.stringify(text)} names no chat: it ${problem}.`, {
      next: 'Write it as channel:id, like terminal:local.',
    });
  }
  throw new WrongValue(`${JSON.stringify(text)} names no chat.`, {
    next: 'Write it as channel:id, like terminal:local.',
  });
}

/** Whether the channel of that id is a terminal, the default one or another. */
export function isTerminal(store: Store, id: string): boolean {
  return (store.channels.find(id)?.type ?? id) === terminalChannelType;
}

/** A name for people. Throws invalid_input. */
export function parseName(text: string): string {
  return normalizeName(parseSender(text));
}

/** Parses who writes on a platform: as parseName, and its spelling is kept. Throws invalid_input. */
export function parseSender(text: string): string {
  const name = text.trim();
  const problem = findNameProblem(name);
  if (/^\P{Cc}{1,100}$/u.test(name) && problem === undefined) return name;
  const why = name === '' || problem === undefined ? '' : `: it ${problem}`;
  throw new WrongValue(`${JSON.stringify(text)} cannot be a name${why}.`, {
    next: 'Use 1 to 100 characters on one line.',
  });
}
