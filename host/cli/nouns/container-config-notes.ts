import { availableParallelism, totalmem } from 'node:os';
import type { AgentGroup } from '../../store/agent-groups.js';
import { readContainerConfig } from '../../store/container-config.js';
import { fromStoredJson } from './stored-json.js';

/**
 * Tells what somebody should know who has changed an agent group's container config. `before`: undefined where it is
 * new.
 */
export function noteContainerConfig(
  { containerConfig }: AgentGroup,
  before: AgentGroup | undefined,
): readonly string[] {
  return [
    ...noteDropped(before?.containerConfig ?? null, containerConfig),
    ...noteTooMuch(containerConfig),
  ];
}

/** It is replaced as a whole. */
function noteDropped(before: string | null, after: string | null): readonly string[] {
  const kept = keysOf(after);
  const dropped = keysOf(before).filter((key) => !kept.includes(key));
  if (after === null || dropped.length === 0) return [];
  return [
    `Back to the default, because the new container config does not name it: ${dropped.join(', ')}.`,
  ];
}

function keysOf(json: string | null): readonly string[] {
  const value = fromStoredJson(json);
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
}

/** The engine may be on another machine, so that this is no error. */
function noteTooMuch(json: string | null): readonly string[] {
  const { cpus, memoryMb } = readContainerConfig(json);
  const totalMb = Math.floor(totalmem() / 2 ** 20);
  const notes: string[] = [];
  if (cpus > availableParallelism()) {
    notes.push(
      `This machine has ${availableParallelism()} cpus: its engine starts no container with ${cpus}.`,
    );
  }
  if (memoryMb > totalMb)
    notes.push(`This machine has ${totalMb} MB of memory, less than ${memoryMb}.`);
  return notes;
}
