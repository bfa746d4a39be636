/** A message asks this of the echo provider. A message that is no command is said back. */
export type EchoCommand =
  | { readonly kind: 'say'; readonly text: string }
  | { readonly kind: 'sleep'; readonly ms: number; readonly text: string }
  /** Silent for that long, and says so before. */
  | { readonly kind: 'quiet'; readonly ms: number; readonly text: string }
  | { readonly kind: 'burst'; readonly count: number }
  | { readonly kind: 'fail' }
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'hang' }
  /** Said later. */
  | { readonly kind: 'later'; readonly seconds: number; readonly text: string }
  | { readonly kind: 'send'; readonly destination: string; readonly text: string }
  /** Asks the host for an action. */
  | { readonly kind: 'action'; readonly name: string; readonly parameters: Record<string, unknown> }
  | NoteCommand
  /** A command that cannot be carried out as it was written. */
  | { readonly kind: 'usage'; readonly sentence: string };

/** About what the agent keeps. */
export type NoteCommand = { readonly kind: 'note'; readonly key: string } & (
  { readonly verb: 'remember'; readonly value: string } | { readonly verb: 'recall' | 'forget' }
);

const maxSleepMs = 3_600_000;
const maxBurst = 1_000;
const maxLaterSeconds = 31_622_400;

const sleepUsage = `Write !sleep <ms> <text>, where <ms> is a whole number from 0 to ${maxSleepMs}.`;
const quietUsage = sleepUsage.replace('!sleep', '!quiet');
const laterUsage = `Write !later <seconds> <text>, where <seconds> is a whole number from 1 to ${maxLaterSeconds}.`;
const burstUsage = `Write !burst <n>, where <n> is a whole number from 1 to ${maxBurst}.`;
const exitUsage = 'Write !exit <code>, where <code> is a whole number from 0 to 255.';
const actionUsage = 'Write !action <name> <parameters>, where <parameters> is a JSON object.';
const askUsage = 'Write !ask <question> | <option> | <option>.';
const sendUsage = 'Write !send <destination> <text>.';
const rememberUsage = 'Write !remember <key> <value>.';

const parsers: Readonly<Record<string, (rest: string) => EchoCommand>> = {
  '!sleep': (rest) => parsePause('sleep', rest, sleepUsage),
  '!quiet': (rest) => parsePause('quiet', rest, quietUsage),
  '!burst': parseBurst,
  '!fail': () => ({ kind: 'fail' }),
  '!exit': parseExit,
  '!hang': () => ({ kind: 'hang' }),
  '!later': parseLater,
  '!send': parseSend,
  '!ask': parseAsk,
  '!action': parseAction,
  '!remember': parseRemember,
  '!recall': (rest) => parseKey('recall', rest),
  '!forget': (rest) => parseKey('forget', rest),
};

export function parseEchoCommand(text: string): EchoCommand {
  const [word, rest] = splitFirstWord(text);
  const parse = Object.hasOwn(parsers, word) ? parsers[word] : undefined;
  return parse === undefined ? { kind: 'say', text } : parse(rest);
}

function parsePause(kind: 'sleep' | 'quiet', rest: string, usage: string): EchoCommand {
  const [number, text] = splitFirstWord(rest);
  const ms = parseWhole(number, 0, maxSleepMs);
  if (ms === undefined || text === '') return { kind: 'usage', sentence: usage };
  return { kind, ms, text };
}

function parseBurst(rest: string): EchoCommand {
  const count = parseWhole(rest, 1, maxBurst);
  return count === undefined ? { kind: 'usage', sentence: burstUsage } : { kind: 'burst', count };
}

function parseExit(rest: string): EchoCommand {
  const code = parseWhole(rest, 0, 255);
  return code === undefined ? { kind: 'usage', sentence: exitUsage } : { kind: 'exit', code };
}

function parseLater(rest: string): EchoCommand {
  const [number, text] = splitFirstWord(rest);
  const seconds = parseWhole(number, 1, maxLaterSeconds);
  if (seconds === undefined || text === '') return { kind: 'usage', sentence: laterUsage };
  return { kind: 'later', seconds, text };
}

function parseSend(rest: string): EchoCommand {
  const [destination, text] = splitFirstWord(rest);
  if (destination === '' || text === '') return { kind: 'usage', sentence: sendUsage };
  return { kind: 'send', destination, text };
}

/** Asks the people in the chat. */
function parseAsk(rest: string): EchoCommand {
  const [question = '', ...options] = rest.split('|').map((part) => part.trim());
  if (question === '') return { kind: 'usage', sentence: askUsage };
  return { kind: 'action', name: 'ask_user_question', parameters: { question, options } };
}

function parseAction(rest: string): EchoCommand {
  const [name, json] = splitFirstWord(rest);
  const parameters = parseObject(json === '' ? '{}' : json);
  if (name === '' || parameters === undefined) return { kind: 'usage', sentence: actionUsage };
  return { kind: 'action', name, parameters };
}

function parseRemember(rest: string): EchoCommand {
  const [key, value] = splitFirstWord(rest);
  if (key === '' || value === '') return { kind: 'usage', sentence: rememberUsage };
  return { kind: 'note', verb: 'remember', key, value };
}

function parseKey(verb: 'recall' | 'forget', rest: string): EchoCommand {
  const [key, more] = splitFirstWord(rest);
  if (key === '' || more !== '') return { kind: 'usage', sentence: `Write !${verb} <key>.` };
  return { kind: 'note', verb, key };
}

function parseObject(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function splitFirstWord(text: string): [string, string] {
  const trimmed = text.trim();
  const end = trimmed.search(/\s/);
  return end < 0 ? [trimmed, ''] : [trimmed.slice(0, end), trimmed.slice(end).trim()];
}

function parseWhole(text: string, min: number, max: number): number | undefined {
  if (!/^\d{1,9}$/.test(text)) return undefined;
  const number = Number(text);
  return number >= min && number <= max ? number : undefined;
}
