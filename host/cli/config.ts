import type { AddCommands, CommandContext } from './command-context.js';
import { formatTable } from './table.js';

export const addConfigCommand: AddCommands = (program, act) => {
  program
    .command('config')
    .description('list every setting, its value and where that came from')
    .action(act(list));
};

function list({ settings, output }: CommandContext): void {
  output.result(settings, (width) =>
    formatTable(
      [
        { title: 'setting', value: ({ name }) => name, whole: true },
        { title: 'value', value: ({ value }) => value ?? '-' },
        { title: 'from', value: ({ source }) => source, whole: true },
        { title: 'about', value: ({ about }) => about },
      ],
      settings,
      width,
      '',
    ),
  );
}
