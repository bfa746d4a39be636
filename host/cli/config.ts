import type { SettingValue } from '../config.js';
import type { AddCommands, CommandContext } from './command-context.js';
import { formatTable, type Column } from './table.js';

export const addConfigCommand: AddCommands = (program, act) => {
  program
    .command('config')
    .description('list every setting, its value and where that came from')
    .action(act(list));
};

const columns: readonly Column<SettingValue>[] = [
  { title: 'setting', value: ({ name }) => name },
  { title: 'value', value: ({ value }) => value ?? '-' },
  { title: 'from', value: ({ source }) => source },
  { title: 'about', value: ({ about }) => about },
];

function list({ settings, output }: CommandContext): void {
  output.result(settings, (width) => {
    const table = formatTable(columns, settings, Number.POSITIVE_INFINITY, '');
    return table.split('\n').every((line) => line.length <= width) ? table : inParagraphs(settings);
  });
}

/** Where the table is too wide: nothing here may be cut. */
function inParagraphs(settings: readonly SettingValue[]): string {
  return settings
    .map(({ name, value, source, about }) => `${name}=${value ?? ''}  (${source})\n  ${about}`)
    .join('\n');
}
