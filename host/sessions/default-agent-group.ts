import { isoAt, type Clock } from '../../shared/base/clock.js';
import type { NewId } from '../../shared/base/ids.js';
import type { Store } from '../store/store.js';
import { copyShippedGroup, type ShippedGroupsPaths } from './files/shipped-groups.js';

/** The agent group that answers chats which wire themselves. */
export const defaultAgentFolder = 'main';

export interface DefaultAgentGroupDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly groups: ShippedGroupsPaths;
}

/** A fresh install has one agent group, so that its first message is answered. */
export function ensureDefaultAgentGroup(deps: DefaultAgentGroupDeps): void {
  const { store, clock, newId, groups } = deps;
  copyShippedGroup(groups, defaultAgentFolder);
  if (store.agentGroups.list().length > 0) return;
  store.agentGroups.insert({
    id: newId('ag'),
    name: 'Main',
    folder: defaultAgentFolder,
    isAdmin: true,
    provider: null,
    containerConfig: null,
    createdAt: isoAt(clock.now()),
  });
}
