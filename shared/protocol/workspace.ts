import { join } from 'node:path';

/**
 * Says where a runner finds what. On the host these are folders of the session; in a container they are the mounts
 * below /workspace.
 */
export interface Workspace {
  /** inbound.db, runner.json and inbox/: written by the host, read-only for the runner. */
  readonly inDir: string;
  /** outbound.db, outbox/, heartbeat and the commit mark: written by the runner. */
  readonly outDir: string;
  /** The agent group's folder: CLAUDE.md, skills, working files. */
  readonly agentDir: string;
  /** The agent's own home for this session. */
  readonly homeDir: string;
}

export const containerWorkspace: Workspace = {
  inDir: '/workspace/in',
  outDir: '/workspace/out',
  agentDir: '/workspace/agent',
  homeDir: '/workspace/home',
};

/** The environment variables that tell a runner its workspace, where it is not the container's. */
export const workspaceVariables = {
  inDir: 'BERTH_IN_DIR',
  outDir: 'BERTH_OUT_DIR',
  agentDir: 'BERTH_AGENT_DIR',
  homeDir: 'HOME',
} as const satisfies Record<keyof Workspace, string>;

export const inboundDbName = 'inbound.db' as const;
export const outboundDbName = 'outbound.db' as const;
export const commitMarkName = 'committed' as const;

export function inboundDbPath(inDir: string): string {
  return join(inDir, inboundDbName);
}

export function outboundDbPath(outDir: string): string {
  return join(outDir, outboundDbName);
}

/** The runner's settings, written by the host before each start. */
export function runnerConfigPath(inDir: string): string {
  return join(inDir, 'runner.json');
}

/** The order that names what the runner may take away, written by the host now and then. */
export function pruneOrderPath(inDir: string): string {
  return join(inDir, 'pruning.json');
}

/** Touched by the runner while a turn runs: its mtime is the last sign of life. */
export function heartbeatPath(outDir: string): string {
  return join(outDir, 'heartbeat');
}

/** Touched by the runner after each commit that the host is to act upon. A hint: losing one costs time, never a message. */
export function commitMarkPath(outDir: string): string {
  return join(outDir, commitMarkName);
}

/** Touched by the host after each commit that the runner is to act upon. Likewise a hint. */
export function postMarkPath(inDir: string): string {
  return join(inDir, 'posted');
}

/** Written by a runner that ends because it cannot read a file: which one, inbound.db or outbound.db. */
export function damageMarkPath(outDir: string): string {
  return join(outDir, 'damaged');
}

/** A folder for each inbound message that came with files. */
export function inboxRoot(inDir: string): string {
  return join(inDir, 'inbox');
}

/** Files that came with an inbound message. */
export function inboxDir(inDir: string, messageId: string): string {
  return join(inboxRoot(inDir), messageId);
}

/** A folder for each outbound message with files. */
export function outboxRoot(outDir: string): string {
  return join(outDir, 'outbox');
}

/** Files that go out with an outbound message. */
export function outboxDir(outDir: string, messageId: string): string {
  return join(outboxRoot(outDir), messageId);
}
