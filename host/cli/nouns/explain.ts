import type { Explanation } from '../../operations/explanation.js';
import type { AddCommands, CommandContext } from '../command/command-context.js';
import { findInstallZone } from '../command/install-time-zone.js';
import { performNow } from '../command/perform.js';
import { describeLocal, describeWait } from '../command/time-words.js';
import { formatFields, formatSection, formatTable, printable } from '../output/table.js';
import { wrapWords } from '../output/word-wrap.js';

export const addExplainCommand: AddCommands = (program, act) => {
  program
    .command('explain <what>')
    .description('say what happened to a session, a chat or a message, and what it waits for')
    .option('--chat <chat>', "the chat of a message that is named by its platform's id")
    .action(act(explain));
};

function explain(
  context: CommandContext,
  subject: string,
  { chat }: { readonly chat?: string },
): void {
  const { output, clock } = context;
  const timeZone = findInstallZone(context).name;
  const explanation = performNow(context, 'berth.explain', {
    subject,
    ...(chat === undefined ? {} : { chat }),
  });
  output.result({ ...explanation, timeZone }, (width) =>
    [
      wrapWords(printable(explanation.title), width).join('\n'),
      formatSection('Now', formatNow(explanation, { nowMs: clock.now(), timeZone, width })),
      formatSection(
        `What happened (${timeZone})`,
        formatHappened(explanation, timeZone, width - indent),
      ),
    ].join(''),
  );
}

interface Shown {
  readonly nowMs: number;
  readonly timeZone: string;
  readonly width: number;
}

/** By which a section is indented, and what belongs to a sentence of it. */
const indent = 2;

function formatNow({ now, kind }: Explanation, { nowMs, timeZone, width }: Shown): string {
  return now
    .map(({ what, until, next, session }) => {
      const fields = formatFields(
        [
          ['session', kind === 'session' ? undefined : (session ?? undefined)],
          [
            'until',
            until === null
              ? undefined
              : `${describeLocal(until, timeZone)} (${describeWait(until, nowMs)}; ${timeZone})`,
          ],
          ['next', next ?? undefined],
        ],
        width - 2 * indent,
      );
      const sentence = wrapWords(printable(what), width - indent).join('\n');
      return fields === '' ? sentence : `${sentence}\n${fields.replace(/^/gm, '  ')}`;
    })
    .join('\n');
}

function formatHappened({ happened }: Explanation, timeZone: string, width: number): string {
  if (happened.length === 0) return 'Nothing is known of it any more.';
  return formatTable(
    [
      { title: 'when', value: ({ at }) => describeLocal(at, timeZone), whole: true },
      {
        title: 'what',
        value: ({ what, until }) =>
          until === null ? what : `${what} Next: ${describeLocal(until, timeZone)}.`,
        below: true,
      },
    ],
    happened,
    width,
    '',
  );
}
