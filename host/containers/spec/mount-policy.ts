import { isAbsolute, sep } from 'node:path';
import { BerthError } from '../../../shared/base/errors.js';
import type { Workspace } from '../../../shared/protocol/workspace.js';

export interface MountRoots {
  /** The session's own folder. */
  readonly sessionDir: string;
  /** groups/. */
  readonly groupsDir: string;
}

/** A container sees its session's own folders and its agent's folder, and nothing else. Throws spec_refused. */
export function assertMountsAllowed(workspace: Workspace, roots: MountRoots): void {
  assertBelow(workspace.inDir, roots.sessionDir);
  assertBelow(workspace.outDir, roots.sessionDir);
  assertBelow(workspace.homeDir, roots.sessionDir);
  assertBelow(workspace.agentDir, roots.groupsDir);
}

function assertBelow(path: string, root: string): void {
  const isPlain = isAbsolute(path) && !path.split(sep).includes('..');
  if (isPlain && path.startsWith(root + sep)) return;
  throw new BerthError('spec_refused', `A container may not see ${path}.`, {
    next: `Only folders below ${root} may be mounted there.`,
  });
}
