import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { isoAt, type Clock } from '../../shared/base/clock.js';
import type { NewId } from '../../shared/base/ids.js';
import type { Store } from '../store/store.js';

/** The agent group that answers chats which wire themselves. */
export const defaultAgentFolder = 'main';

export interface DefaultAgentGroupDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: NewId;
  /** groups/ of this BERTH_HOME. */
  readonly groupsDir: string;
  /** groups/ as it ships. */
  readonly shippedGroupsDir: string;
}

/** A fresh install has one agent group, so that its first message is answered. */
export function ensureDefaultAgentGroup(deps: DefaultAgentGroupDeps): void {
  const { store, clock, newId, groupsDir, shippedGroupsDir } = deps;
  const folder = join(groupsDir, defaultAgentFolder);
  if (!existsSync(folder)) {
    mkdirSync(groupsDir, { recursive: true });
    cpSync(join(shippedGroupsDir, defaultAgentFolder), folder, { recursive: true });
  }
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
