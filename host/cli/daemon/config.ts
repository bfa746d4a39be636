import type { SettingValue } from '../../config/config.js';
import { homePaths } from '../../config/home-paths.js';
import type { DaemonState } from '../../store/daemon-state.js';
import { findDaemon } from '../command/daemon-presence.js';
import type { AddCommands, Inspection } from '../command/command-context.js';
import { formatTable, type Column } from '../output/table.js';
import { wrapWords } from '../output/word-wrap.js';

export const addConfigCommand: AddCommands = (program, _act, inspect) => {
  program
    .command('config')
    .description(
      'list every setting, its value and where that came from; exit code 1 for a bad one',
    )
    .action(inspect(list));
};

const columns: readonly Column<SettingValue>[] = [
  { title: 'setting', value: ({ name }) => name },
  { title: 'value', value: ({ value }) => value ?? '-' },
  { title: 'from', value: ({ source }) => source },
  { title: 'about', value: describe },
];

function list({ settings, notes, output }: Inspection): number {
  for (const note of notes) output.note(note);
  const ofDaemon = findDaemonSettings(settings);
  for (const [name, { value, source }] of Object.entries(ofDaemon ?? {})) {
    const own = settings.find((one) => one.name === name);
    if (own === undefined || own.value === value) continue;
    output.note(`The daemon that runs goes by ${name}=${value ?? ''} (${source}).`);
  }
  const facts = settings.map((one) =>
    ofDaemon === undefined ? one : { ...one, daemon: ofDaemon[one.name]?.value ?? null },
  );
  output.result(facts, (width) => {
    const table = formatTable(columns, settings, Number.POSITIVE_INFINITY, '');
    return table.split('\n').every((line) => line.length <= width)
      ? table
      : inParagraphs(settings, width);
  });
  return settings.some(({ problem }) => problem !== undefined) ? 1 : 0;
}

/** Undefined where none runs, or where the home cannot be used. */
function findDaemonSettings(
  settings: readonly SettingValue[],
): NonNullable<DaemonState['settings']> | undefined {
  const home = settings.find(({ name }) => name === 'BERTH_HOME');
  if (home?.value == null || home.problem !== undefined) return undefined;
  const daemon = findDaemon(homePaths(home.value));
  return daemon.kind === 'present' ? (daemon.state.settings ?? undefined) : undefined;
}

function describe({ about, problem }: SettingValue): string {
  return problem === undefined ? about : `CANNOT BE USED: ${problem}. ${about}`;
}

/** Where the table is too wide: nothing here may be cut. */
function inParagraphs(settings: readonly SettingValue[], width: number): string {
  return settings
    .map((one) => {
      const about = wrapWords(describe(one), width - 2);
      return [`${one.name}=${one.value ?? ''}  (${one.source})`, ...about].join('\n  ');
    })
    .join('\n');
}
