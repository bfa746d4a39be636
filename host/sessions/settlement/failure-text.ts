import { takeCharacters } from '../../../shared/base/cut-text.js';
import type { OpenInbound } from '../../../shared/protocol/mailbox/inbound-rows.js';
import { isPlanned } from '../tasks/task-series.js';

/** Says what a chat is told of a message that was given up. `said`: its own text, where it has one. */
export function failureText(row: OpenInbound, said: string | undefined, nowIso: string): string {
  const which = quoteBeginning(said ?? '');
  if (row.kind !== 'task') {
    return `Sorry, this message could not be handled${which}. Please send it again, or ask whoever runs this agent to look into it.`;
  }
  if (isPlanned(row, nowIso)) {
    return `A task that was planned here will not be run${which}: this conversation has been closed.`;
  }
  return `Sorry, a planned task could not be done${which}. Please ask whoever runs this agent to look into it.`;
}

const quotedLength = 40;

/** Joiners hold emoji and some scripts' letters together, and stay. */
const unquotable = /(?:(?![\u200c\u200d])\p{C}|[\s<>@`*_~[\]()|])+/gu;

/** In the words of a chat, somebody else's text must call nobody and be no markup. */
function quoteBeginning(text: string): string {
  const plain = text.replace(unquotable, ' ').trim();
  const { characters, isWhole } = takeCharacters(plain, quotedLength);
  if (characters.length === 0) return '';
  return ` (“${characters.join('').trimEnd()}${isWhole ? '' : '…'}”)`;
}
