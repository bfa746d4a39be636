/** Tells a person in sentences what to know about a home. */
import type { DaemonState } from '../../store/daemon-state.js';
import type { Install } from '../../store/home/install-id.js';

/** Tells what became of the home since its last start; nothing where it lies as it did. */
export function describeInstall({ origin, before }: Install): readonly string[] {
  if (before === null) return [];
  if (origin === 'moved') {
    return [`This home was moved here from ${before.home}. It goes on as it was, containers too.`];
  }
  const left = `docker ps --filter label=berth.install=${before.id}`;
  return [
    `This home is a copy of the one at ${before.home}, or was restored from a backup: it is an install of its own from now on. Containers of the original are left alone; where it is gone, \`${left}\` lists what it left.`,
  ];
}

/** `root`: the folder of the program that speaks. Undefined where the daemon is of the same one, or does not tell. */
export function describeOtherProgram(
  { program, version }: Pick<DaemonState, 'program' | 'version'>,
  root: string,
): string | undefined {
  if (program === null || program === root) return undefined;
  return `The daemon of this home runs from ${program} (version ${version}), and not from ${root}. \`berth restart\` runs it from here.`;
}
