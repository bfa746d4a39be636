import { Option, type Command } from 'commander';
import { join } from 'node:path';
import { BerthError, hasCode } from '../../../shared/base/errors.js';
import { findConversationRow } from '../../../shared/protocol/mailbox/conversation-reader.js';
import type { DeadLetter } from '../../store/messages/dead-letters.js';
import { performSoon } from '../command/perform.js';
import type { AddCommands, CommandContext } from '../command/command-context.js';
import {
  assertChoice,
  chooseDeadLetters,
  listDeadLetters,
  pickDeadLetter,
  type ChoiceOptions,
  type FilterOptions,
} from './dead-letter-choice.js';
import { parseCount } from '../command/option-values.js';
import { describeRow } from './session-messages.js';
import { readStore, writeStore } from '../command/store-access.js';
import { formatFields, formatSection, formatTable, printable } from '../output/table.js';
import { describeAge } from '../command/time-words.js';

export const addDeadLetterCommands: AddCommands = (program, act) => {
  const noun = program
    .command('dead-letters')
    .description('messages that were given up: not answered (in) or not delivered (out)');
  withFilters(noun.command('list').description('list them, the newest first'))
    .addOption(new Option('--limit <n>', 'the newest ones').argParser(parseCount).default(50))
    .action(act(list));
  withFilters(
    noun
      .command('show <message...>')
      .description('show one: why, when and what; its session may be named before it'),
  ).action(act(show));
  withFilters(
    noun.command('retry [message...]').description('have them answered or delivered after all'),
  )
    .option('--all', 'all of them')
    .action(act(retry));
  withFilters(
    noun
      .command('purge [message...]')
      .description('forget them; the messages stay in the files of their sessions'),
  )
    .option('--all', 'all of them')
    .addOption(new Option('--before <days>', 'given up longer ago').argParser(parseCount))
    .action(act(purge));
};

function withFilters(command: Command): Command {
  return command
    .addOption(new Option('--direction <way>', 'only these').choices(['in', 'out']))
    .option('--session <session>', 'only those of this session');
}

function list(context: CommandContext, options: FilterOptions & { readonly limit: number }): void {
  const { clock, output } = context;
  const all = readStore(context, (store) => listDeadLetters(store, options));
  const letters = all.slice(0, options.limit);
  output.result(letters, (width) => {
    const table = formatTable(
      [
        { title: 'message', value: ({ messageId }) => messageId, whole: true },
        { title: 'way', value: ({ direction }) => direction, whole: true },
        { title: 'session', value: ({ sessionId }) => sessionId, whole: true },
        { title: 'given up', value: ({ createdAt }) => describeAge(createdAt, clock.now()) },
        { title: 'reason', value: ({ reason }) => reason, below: true },
      ],
      letters,
      width,
      'Nothing was given up.',
    );
    const older = all.length - letters.length;
    return older > 0 ? `${table}\nand ${older} older` : table;
  });
}

function show(context: CommandContext, words: readonly string[], options: FilterOptions): void {
  const { clock, output } = context;
  const letter = readStore(context, (store) =>
    pickDeadLetter(listDeadLetters(store, options), words.join('/')),
  );
  const message = readMessage(context, letter);
  const way = letter.direction === 'in' ? 'in: it was not answered' : 'out: it was not delivered';
  const arrived = letter.maybeSent
    ? 'it may have: a retry says that it may be a repeat'
    : undefined;
  output.result({ ...letter, message: message ?? null }, (width) => {
    const fields = formatFields(
      [
        ['message', letter.messageId],
        ['way', way],
        ['session', letter.sessionId],
        ['given up', `${letter.createdAt} (${describeAge(letter.createdAt, clock.now())})`],
        ['reason', letter.reason],
        ['arrived', arrived],
        ['written', message?.timestamp],
        ['by', message?.who],
        ['in reply to', message?.inReplyTo ?? undefined],
      ],
      width,
    );
    const text = message?.text.split('\n').map(printable).join('\n');
    return `${fields}${formatSection('Text', text ?? '(not in the files of its session any more)')}`;
  });
}

interface Message {
  readonly timestamp: string;
  readonly inReplyTo: string | null;
  readonly who: string;
  readonly text: string;
}

/** A session whose files are damaged shows the rest. */
function readMessage({ config }: CommandContext, letter: DeadLetter): Message | undefined {
  const folder = join(config.paths.sessionsDir, letter.sessionId);
  const folders = { inDir: join(folder, 'in'), outDir: join(folder, 'out') };
  try {
    const row = findConversationRow(folders, letter.direction, letter.messageId);
    if (row === undefined) return undefined;
    return { timestamp: row.timestamp, inReplyTo: row.inReplyTo, ...describeRow(row) };
  } catch (error) {
    if (hasCode(error, 'database_corrupt', 'database_unreadable')) return undefined;
    throw error;
  }
}

/** As the daemon answers the request. */
interface Outcome {
  readonly sessionId: string;
  readonly direction: 'in' | 'out';
  readonly messageId: string;
  readonly outcome: 'retried' | 'settled' | 'refused' | 'waiting';
  readonly reason?: string;
  readonly next?: string | null;
}

const outcomeWords: Readonly<Record<Outcome['outcome'], string>> = {
  retried: 'is tried again',
  settled: 'had been dealt with meanwhile',
  refused: 'not tried again',
  waiting: 'is tried again when the daemon starts',
};

/** Exit code 1 where one of several was refused. */
async function retry(
  context: CommandContext,
  references: readonly string[],
  options: ChoiceOptions,
): Promise<number> {
  assertChoice(references, options);
  const letters = readStore(context, (store) =>
    chooseDeadLetters(store, references, options, context.clock.now()),
  );
  const refs = letters.map(({ sessionId, direction, messageId }) => ({
    sessionId,
    direction,
    messageId,
  }));
  const outcomes = refs.length === 0 ? [] : await ask(context, refs);
  const refused = outcomes.filter(({ outcome }) => outcome === 'refused');
  const [first] = refused;
  if (first !== undefined && outcomes.length === 1) {
    throw new BerthError('invalid_input', first.reason ?? 'It cannot be tried again.', {
      ...(first.next == null ? {} : { next: first.next }),
    });
  }
  context.output.result(outcomes, (width) =>
    formatTable(
      [
        { title: 'message', value: ({ messageId }) => messageId, whole: true },
        { title: 'way', value: ({ direction }) => direction, whole: true },
        { title: 'session', value: ({ sessionId }) => sessionId },
        {
          title: 'outcome',
          value: ({ outcome, reason }) =>
            reason === undefined ? outcomeWords[outcome] : `${outcomeWords[outcome]}: ${reason}`,
          below: true,
        },
      ],
      outcomes,
      width,
      'Nothing was given up.',
    ),
  );
  return refused.length === 0 ? 0 : 1;
}

async function ask(
  context: CommandContext,
  letters: readonly Omit<Outcome, 'outcome'>[],
): Promise<readonly Outcome[]> {
  const performed = await performSoon(context, 'dead-letters.retry', { letters: [...letters] });
  if (performed.kind === 'done') return performed.result as readonly Outcome[];
  return letters.map((letter) => ({ ...letter, outcome: 'waiting' }));
}

function purge(
  context: CommandContext,
  references: readonly string[],
  options: ChoiceOptions,
): void {
  assertChoice(references, options);
  const letters = writeStore(context, (store) => {
    const chosen = chooseDeadLetters(store, references, options, context.clock.now());
    for (const letter of chosen) store.deadLetters.remove(letter);
    return chosen;
  });
  context.output.result(
    letters,
    () => `Forgot ${letters.length} dead letter${letters.length === 1 ? '' : 's'}.`,
  );
}
