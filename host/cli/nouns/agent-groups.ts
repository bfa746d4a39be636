import { Option } from 'commander';
import { toBerthError } from '../../../shared/base/errors.js';
import { defaultAgentFolder } from '../../sessions/default-agent-group.js';
import type { AgentGroup } from '../../store/agent-groups.js';
import { parseContainerConfig, type ContainerConfig } from '../../store/container-config.js';
import {
  createAgentGroup,
  deleteAgentGroup,
  updateAgentGroup,
  type AgentGroupOptions,
} from './agent-group-changes.js';
import type { AddCommands, CommandContext } from '../command/command-context.js';
import { noteContainerConfig } from './container-config-notes.js';
import { chatName, getAgentGroup } from '../../operations/references.js';
import { collectWords } from '../command/option-values.js';
import { readStore } from '../command/store-access.js';
import { fromStoredJson } from './stored-json.js';
import { formatFields, formatTable } from '../output/table.js';

const defaultGone =
  'It was the default one: new terminal chats reach nobody until you wire them with `berth wirings create`. ' +
  'Where no agent group is left, the next start makes it anew.';

const configHelp = 'JSON, like {"network":"bridge","memoryMb":512,"tries":3}';

export const addAgentGroupCommands: AddCommands = (program, act) => {
  const noun = program.command('agent-groups').description('agents: folder, provider, limits');
  noun.command('list').description('list them').action(act(list));
  noun
    .command('create <name>')
    .description('make one; groups/<folder>/ is made where it is missing')
    .option('--folder <folder>', 'below groups/; by default made from the name')
    .option('--provider <provider>', 'what thinks; by default BERTH_PROVIDER')
    .option('--admin', 'may administer this install')
    .option('--container-config <json>', configHelp)
    .action(act(create));
  noun.command('show <agent-group>').description('show one').action(act(show));
  noun
    .command('update <agent-group>')
    .description('change one; its containers follow at their next start')
    .option('--name <name>', 'call it otherwise; the folder stays')
    .option('--provider <provider>', 'what thinks')
    .option('--no-provider', 'back to BERTH_PROVIDER')
    .option('--admin', 'may administer this install')
    .option('--no-admin', 'may not')
    .option('--container-config <json>', `${configHelp}; replaces all of it`)
    .option('--no-container-config', 'back to the defaults')
    .addOption(
      new Option(
        '--set <key=value...>',
        'one of its limits, like memoryMb=512, or of its provider’s options, like providerOptions.prefix=hi',
      )
        .conflicts('containerConfig')
        .argParser(collectWords),
    )
    .addOption(
      new Option('--unset <key...>', 'one of its limits back to the default')
        .conflicts('containerConfig')
        .argParser(collectWords),
    )
    .action(act(update));
  noun
    .command('delete <agent-group>')
    .description('delete one that has no wirings and no sessions; its folder stays')
    .option('--with-sessions', 'delete its ended sessions too, with their files')
    .action(act(remove));
};

function list(context: CommandContext): void {
  const groups = readStore(context, (store) => store.agentGroups.list());
  context.output.result(groups.map(view), (width) =>
    formatTable(
      [
        { title: 'folder', value: ({ folder }) => folder },
        { title: 'name', value: ({ name }) => name },
        { title: 'provider', value: ({ provider }) => provider ?? '(default)' },
        { title: 'admin', value: ({ isAdmin }) => (isAdmin ? 'yes' : '-') },
        { title: 'id', value: ({ id }) => id, whole: true },
      ],
      groups,
      width,
      'There are no agent groups yet: the first start makes one.',
    ),
  );
}

function show(context: CommandContext, reference: string): void {
  const { group, chats, sessions } = readStore(context, (store) => {
    const group = getAgentGroup(store, reference);
    const chats = store.wirings
      .listForAgentGroup(group.id)
      .map((wiring) => store.messagingGroups.find(wiring.messagingGroupId))
      .flatMap((chat) => (chat === undefined ? [] : [chatName(chat)]));
    return { group, chats, sessions: store.sessions.list({ agentGroupId: group.id }) };
  });
  const active = sessions.filter(({ status }) => status === 'active').length;
  const limits = readLimits(group);
  const shown = { ...view(group), limits, wiredTo: chats, activeSessions: active };
  context.output.result(shown, (width) =>
    formatFields(
      [
        ['id', group.id],
        ['name', group.name],
        ['folder', `groups/${group.folder}`],
        ['provider', group.provider ?? `${context.config.provider} (default)`],
        ['admin', group.isAdmin ? 'yes' : 'no'],
        ['limits', describeLimits(limits)],
        ['wired to', chats.join(', ') || 'nothing'],
        ['sessions', `${active} active of ${sessions.length}`],
        ['created', group.createdAt],
      ],
      width,
    ),
  );
}

function create(
  context: CommandContext,
  name: string,
  options: Parameters<typeof createAgentGroup>[2],
): void {
  const group = createAgentGroup(context, name, options);
  tellConfig(context, options, noteContainerConfig(group, undefined));
  context.output.result(
    view(group),
    () =>
      `Created the agent group ${group.name} (${group.id}). Its instructions: groups/${group.folder}/CLAUDE.md`,
  );
}

function update(
  context: CommandContext,
  reference: string,
  options: Parameters<typeof updateAgentGroup>[2],
): void {
  const { before, after: group } = updateAgentGroup(context, reference, options);
  tellConfig(context, options, noteContainerConfig(group, before));
  context.output.result(view(group), () => `Updated the agent group ${group.name}.`);
}

function tellConfig(
  { output }: CommandContext,
  { containerConfig, set, unset }: AgentGroupOptions,
  notes: readonly string[],
): void {
  if (typeof containerConfig !== 'string' && set === undefined && unset === undefined) return;
  for (const note of notes) output.note(note);
}

function remove(
  context: CommandContext,
  reference: string,
  options: { readonly withSessions?: boolean },
): void {
  const { group, removed } = deleteAgentGroup(context, reference, options.withSessions ?? false);
  context.output.result({ deleted: group.id, removedSessions: removed }, () =>
    [
      `Deleted the agent group ${group.name}. Its folder groups/${group.folder} stays.`,
      ...(group.folder === defaultAgentFolder ? [defaultGone] : []),
      ...(removed.length > 0 ? [`Deleted with it: ${removed.join(', ')}.`] : []),
    ].join('\n'),
  );
}

function view(group: AgentGroup): object {
  return { ...group, containerConfig: fromStoredJson(group.containerConfig) };
}

/** A row that was edited by hand may not parse; that is then what there is to show. */
function readLimits(group: AgentGroup): ContainerConfig | { readonly unusable: string } {
  try {
    return parseContainerConfig(group.containerConfig);
  } catch (error) {
    return { unusable: toBerthError(error).message };
  }
}

function describeLimits(limits: object): string {
  return Object.entries(limits)
    .map(
      ([name, value]) =>
        `${name} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
    )
    .join(', ');
}
