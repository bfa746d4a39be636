/**
 * Copies the agent folders that ship with the program into the home, once. A later version never writes over them:
 * where it ships another text, that is told. The shipped texts are kept as checksums, so that a person's edits and ours
 * are told apart.
 */
import { createHash } from 'node:crypto';
import {
  constants,
  cpSync,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { shellWord } from '../../../shared/base/shell-words.js';
import { judgeShippedFile, type ShippedFileRecord } from './shipped-file.js';

export interface ShippedGroupsPaths {
  /** groups/ of this BERTH_HOME. */
  readonly groupsDir: string;
  /** groups/ as it ships. */
  readonly shippedGroupsDir: string;
  /** The record of what was shipped when it was copied. */
  readonly shippedGroupsFile: string;
}

const fileSchema = z.object({
  shipped: z.string(),
  told: z.object({ shipped: z.string(), present: z.string() }).nullable().default(null),
});
const recordSchema = z.object({
  /** By path below groups/. */
  files: z.record(z.string(), fileSchema),
});

type ShippedRecord = z.infer<typeof recordSchema>;

/** An agent may write what it likes into its folder: more than this is not read. */
const maxBytes = 4 * 1024 * 1024;

/** Makes a folder that is not there. A kill leaves no half of one. */
export function copyShippedGroup(paths: ShippedGroupsPaths, folder: string): void {
  const target = join(paths.groupsDir, folder);
  if (existsSync(target)) return;
  mkdirSync(paths.groupsDir, { recursive: true });
  // No agent folder's name begins with a dot.
  const draft = join(paths.groupsDir, `.${folder}.new`);
  rmSync(draft, { recursive: true, force: true });
  cpSync(join(paths.shippedGroupsDir, folder), draft, { recursive: true });
  renameSync(draft, target);
}

/** Sentences about what this version ships otherwise than what lies in the home. For the holder of the daemon's lock. */
export function compareShippedGroups(paths: ShippedGroupsPaths): readonly string[] {
  if (isOneFolder(paths.groupsDir, paths.shippedGroupsDir)) return [];
  const before = readRecord(paths.shippedGroupsFile);
  const files: Record<string, ShippedFileRecord> = {};
  const remarks: string[] = [];
  for (const name of listFiles(paths.shippedGroupsDir)) {
    const verdict = judgeShippedFile({
      record: before.files[name],
      shipped: checksumOf(paths.shippedGroupsDir, name),
      present: checksumOf(paths.groupsDir, name),
    });
    files[name] = verdict.record;
    if (verdict.kind === 'same') continue;
    const mine = shellWord(join(paths.groupsDir, name));
    const theirs = shellWord(join(paths.shippedGroupsDir, name));
    remarks.push(
      verdict.kind === 'edited'
        ? `This version ships another ${name} than the one that yours was made from; you have edited yours, which stays as it is. Compare: diff ${mine} ${theirs}`
        : `This version ships another ${name}; yours is still as it was shipped before. To take the new one: cp ${theirs} ${mine}`,
    );
  }
  const text = `${JSON.stringify({ files }, null, 2)}\n`;
  if (text !== readText(paths.shippedGroupsFile)) replaceFile(paths.shippedGroupsFile, text);
  return remarks;
}

function isOneFolder(a: string, b: string): boolean {
  return existsSync(a) && existsSync(b) && realpathSync(a) === realpathSync(b);
}

/** Ordinary files below a folder, as relative paths. */
function listFiles(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/** Empty where there is no ordinary file of a sensible size. Links and pipes that an agent made are not opened. */
function checksumOf(root: string, name: string): string {
  const path = join(root, name);
  let file: number | undefined;
  try {
    if (!lstatSync(path).isFile() || realpathSync(path) !== join(realpathSync(root), name))
      return '';
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = fstatSync(file);
    if (!stat.isFile() || stat.size > maxBytes) return '';
    return createHash('sha256').update(readFileSync(file)).digest('hex');
  } catch {
    return '';
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function readRecord(path: string): ShippedRecord {
  try {
    return recordSchema.parse(JSON.parse(readText(path) ?? ''));
  } catch {
    return { files: {} };
  }
}

function readText(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
