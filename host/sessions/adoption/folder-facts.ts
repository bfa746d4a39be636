/** Reads what the folder of a session tells of it, where central.db does not know it. Nothing is changed. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, hasCode, toBerthError } from '../../../shared/base/errors.js';
import type { InboundSummary } from '../../../shared/protocol/mailbox/inbound-summary.js';
import { runnerConfigSchema } from '../../../shared/protocol/runner-config.js';
import {
  inboundDbPath,
  outboundDbPath,
  runnerConfigPath,
} from '../../../shared/protocol/workspace.js';
import type { Mailbox } from '../mailbox/mailbox.js';
import type { SessionFolders } from '../session-folder.js';

export interface FolderFacts {
  readonly sessionId: string;
  /** As in/runner.json names it; undefined where no container was ever started. */
  readonly agentGroup: { readonly id: string; readonly name: string } | undefined;
  /** Undefined: there is none, and nothing else tells of messages either. */
  readonly inbound: InboundSummary | undefined;
  /** Why its files cannot be read, as a sentence. */
  readonly problem: string | undefined;
}

export interface FolderFactsDeps {
  readonly folders: SessionFolders;
  readonly mailbox: Mailbox;
}

/** Throws what may pass by itself, as a locked file. */
export async function readFolderFacts(
  deps: FolderFactsDeps,
  sessionId: string,
): Promise<FolderFacts> {
  const agentGroup = await readAgentGroup(runnerConfigPath(deps.folders.inDir(sessionId)));
  const facts = { sessionId, agentGroup, inbound: undefined, problem: undefined };
  try {
    return { ...facts, inbound: await readInbound(deps, sessionId) };
  } catch (error) {
    if (!hasCode(error, 'database_corrupt', 'database_missing', 'database_unreadable')) throw error;
    return { ...facts, problem: toBerthError(error).message };
  } finally {
    await deps.mailbox.release(sessionId);
  }
}

/** A session that was made and never written to has no inbound.db yet. Throws database_missing where it was lost. */
async function readInbound(
  { folders, mailbox }: FolderFactsDeps,
  sessionId: string,
): Promise<InboundSummary | undefined> {
  const inDir = folders.inDir(sessionId);
  const isEmpty =
    !existsSync(inboundDbPath(inDir)) &&
    !existsSync(join(inDir, 'inbox')) &&
    !existsSync(outboundDbPath(folders.outDir(sessionId)));
  return isEmpty ? undefined : await mailbox.inbound(sessionId, 'summarize');
}

async function readAgentGroup(path: string): Promise<FolderFacts['agentGroup']> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
  return runnerConfigSchema.safeParse(parseJson(text)).data?.agentGroup;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
