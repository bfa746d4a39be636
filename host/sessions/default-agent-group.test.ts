import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TempHome } from '../../test/fakes/temp-home.js';
import { ensureDefaultAgentGroup } from './default-agent-group.js';

describe('the default agent group', () => {
  let home: TempHome;

  beforeEach(() => {
    home = new TempHome();
  });

  afterEach(() => {
    home[Symbol.dispose]();
  });

  function ensure(): void {
    const { store, clock, newId, groupsDir } = home;
    const shippedGroupsFile = join(home.root, 'data', 'shipped-groups.json');
    const groups = { groupsDir, shippedGroupsDir: 'groups', shippedGroupsFile };
    ensureDefaultAgentGroup({ store, clock, newId, groups });
  }

  it('is made once in a fresh install, with the folder that ships', () => {
    ensure();
    ensure();
    expect(home.store.agentGroups.list()).toMatchObject([{ folder: 'main', isAdmin: true }]);
    const shipped = readFileSync('groups/main/CLAUDE.md', 'utf8');
    expect(readFileSync(join(home.groupsDir, 'main', 'CLAUDE.md'), 'utf8')).toBe(shipped);
  });

  it('leaves what a person has made of it', () => {
    ensure();
    const path = join(home.groupsDir, 'main', 'CLAUDE.md');
    writeFileSync(path, 'mine');
    const [group] = home.store.agentGroups.list();
    home.store.agentGroups.update({ ...group!, name: 'Renamed' });
    ensure();
    expect(readFileSync(path, 'utf8')).toBe('mine');
    expect(home.store.agentGroups.list()).toMatchObject([{ name: 'Renamed' }]);
  });

  it('is not made where there are others', () => {
    home.addAgentGroup({ folder: 'other' });
    ensure();
    expect(home.store.agentGroups.list()).toHaveLength(1);
  });
});
