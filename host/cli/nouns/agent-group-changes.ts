import { isoAt } from '../../../shared/base/clock.js';
import { BerthError } from '../../../shared/base/errors.js';
import {
  isProviderName,
  parseProviderOptions,
  providerNames,
} from '../../../shared/protocol/provider-table.js';
import { parseFolderName } from '../../sessions/session-folder.js';
import type { AgentGroup } from '../../store/agent-groups.js';
import {
  containerConfigSchema,
  parseContainerConfig,
  readContainerConfig,
} from '../../store/container-config.js';
import type { Store } from '../../store/store.js';
import { ensureAgentFolder } from './agent-folder.js';
import {
  parseGiven,
  usageError,
  WrongValue,
  type CommandContext,
} from '../command/command-context.js';
import { removeEndedSessions } from '../../operations/ended-sessions.js';
import { comparable, getAgentGroup } from '../../operations/references.js';
import { parseName } from '../command/names.js';
import { parseAssignments } from '../command/option-values.js';
import { scopeOf } from '../command/perform.js';
import { writeStore } from '../command/store-access.js';

/** `false` takes a setting back to its default. */
export interface AgentGroupOptions {
  readonly provider?: string | false;
  readonly admin?: boolean;
  readonly containerConfig?: string | false;
  /** Keys of the container config, each `key=value`. */
  readonly set?: readonly string[];
  /** Keys of the container config that go back to their defaults. */
  readonly unset?: readonly string[];
}

export function createAgentGroup(
  context: CommandContext,
  name: string,
  options: AgentGroupOptions & { readonly folder?: string },
): AgentGroup {
  const { newId, clock, config } = context;
  const group = withOptions(context, options, {
    id: newId('ag'),
    name: parseName(name),
    folder: parseGiven(() => parseFolderName(options.folder ?? folderFor(name))),
    isAdmin: false,
    provider: null,
    containerConfig: null,
    createdAt: isoAt(clock.now()),
  });
  writeStore(context, (store) => {
    assertNameFree(store, group);
    if (store.agentGroups.findByFolder(group.folder) !== undefined) {
      throw taken(`The folder groups/${group.folder} belongs to an agent group already.`);
    }
    ensureAgentFolder(config.paths.groupsDir, group);
    store.agentGroups.insert(group);
  });
  return group;
}

export function updateAgentGroup(
  context: CommandContext,
  reference: string,
  options: AgentGroupOptions & { readonly name?: string },
): { readonly before: AgentGroup; readonly after: AgentGroup } {
  if (Object.keys(options).length === 0) throw usageError('Say what is to change.');
  return writeStore(context, (store) => {
    const before = getAgentGroup(store, reference);
    const name = options.name === undefined ? before.name : parseName(options.name);
    const after = withOptions(context, options, { ...before, name });
    assertNameFree(store, after);
    store.agentGroups.update(after);
    return { before, after };
  });
}

/** Throws in_use while wirings or sessions refer to it. */
export function deleteAgentGroup(
  context: CommandContext,
  reference: string,
  withSessions: boolean,
): { group: AgentGroup; removed: readonly string[] } {
  return writeStore(context, (store) => {
    const group = getAgentGroup(store, reference);
    const subject = `The agent group ${group.name}`;
    const wirings = store.wirings.listForAgentGroup(group.id);
    if (wirings.length > 0) {
      const ids = wirings.map(({ id }) => id).join(', ');
      throw new BerthError('in_use', `${subject} is wired: ${ids}.`, {
        next: 'Delete the wirings first, with `berth wirings delete ID`.',
      });
    }
    const sessions = store.sessions.list({ agentGroupId: group.id });
    const removed = removeEndedSessions(scopeOf(context, store), {
      subject,
      sessions,
      withSessions,
    });
    store.agentGroups.delete(group.id);
    return { group, removed };
  });
}

function withOptions(
  { config }: CommandContext,
  options: AgentGroupOptions,
  group: AgentGroup,
): AgentGroup {
  const { provider, admin } = options;
  const containerConfig = options.containerConfig ?? changeKeys(options, group.containerConfig);
  // Parsed before it is written; kept as it was given.
  if (typeof containerConfig === 'string') parseGiven(() => parseContainerConfig(containerConfig));
  const changed = {
    ...group,
    isAdmin: admin ?? group.isAdmin,
    provider: orDefault(
      typeof provider === 'string' ? parseProvider(provider) : provider,
      group.provider,
    ),
    containerConfig: orDefault(containerConfig, group.containerConfig),
  };
  assertOptionsFit(changed, config.provider);
  return changed;
}

/** Throws invalid_input with the option that its provider does not take. */
function assertOptionsFit(
  { provider, containerConfig }: AgentGroup,
  defaultProvider: string,
): void {
  const name = provider ?? defaultProvider;
  if (!isProviderName(name)) return;
  const { providerOptions } = readContainerConfig(containerConfig);
  parseGiven(() => parseProviderOptions(name, providerOptions));
}

/** The container config with some of its keys changed; undefined where none is named. */
function changeKeys(
  { set = [], unset = [] }: AgentGroupOptions,
  before: string | null,
): string | false | undefined {
  if (set.length + unset.length === 0) return undefined;
  const config = new Map(Object.entries(JSON.parse(before ?? '{}') as Record<string, unknown>));
  for (const word of unset) {
    const { key, option } = splitKey(word);
    if (option !== undefined) {
      config.set(key, { ...optionsOf(config), [option]: undefined });
      continue;
    }
    if (!(key in containerConfigSchema.shape)) {
      throw new WrongValue(`There is no limit ${JSON.stringify(key)}.`, {
        next: `It may be one of these: ${Object.keys(containerConfigSchema.shape).join(', ')}.`,
      });
    }
    config.delete(key);
  }
  for (const [word, value] of Object.entries(parseAssignments(set, 'memoryMb=512'))) {
    const { key, option } = splitKey(word);
    config.set(key, option === undefined ? value : { ...optionsOf(config), [option]: value });
  }
  return config.size === 0 ? false : JSON.stringify(Object.fromEntries(config));
}

const optionsKey = 'providerOptions';

/** `providerOptions.prefix` names one option. */
function splitKey(word: string): { readonly key: string; readonly option?: string } {
  const isOption = word.startsWith(`${optionsKey}.`);
  return isOption ? { key: optionsKey, option: word.slice(optionsKey.length + 1) } : { key: word };
}

function optionsOf(config: ReadonlyMap<string, unknown>): object {
  const options = config.get(optionsKey);
  return typeof options === 'object' && options !== null ? options : {};
}

function parseProvider(name: string): string {
  if (isProviderName(name)) return name;
  throw new WrongValue(`There is no provider ${JSON.stringify(name)}.`, {
    next: `Name one of these: ${providerNames.join(', ')}.`,
  });
}

function orDefault(given: string | false | undefined, before: string | null): string | null {
  if (given === undefined) return before;
  return given === false ? null : given;
}

/** `Our Helper` → `our-helper` */
function folderFor(name: string): string {
  const folder = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63);
  if (folder !== '') return folder;
  throw new WrongValue(`${JSON.stringify(name)} makes no folder name.`, {
    next: 'Name the folder with --folder.',
  });
}

/** Commands name agent groups by their names, so that two cannot share one. */
function assertNameFree(store: Store, group: AgentGroup): void {
  const name = comparable(group.name);
  const other = store.agentGroups
    .list()
    .find((one) => one.id !== group.id && comparable(one.name) === name);
  if (other !== undefined) throw taken(`The name ${group.name} belongs to ${other.id} already.`);
}

function taken(message: string): BerthError {
  return new BerthError('already_exists', message, { next: 'Choose another one.' });
}
