/**
 * Runs ESLint on the files whose last clean result no longer holds.
 * ESLint's own cache knows the text of each file alone, which is too little for rules that know types.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ESLint } from 'eslint';
import { CleanFiles } from './clean-files.js';
import { hashOf, keysOf, readSourceFacts, type Source } from './source-shapes.js';

const neverLinted = new Set(['node_modules', 'dist', 'coverage', 'data', '.git']);
const sourceFile = /\.[cm]?[jt]sx?$/;

/** What every result depends on: the tools, their configuration and this code. */
const common = hashOf(
  process.version,
  packageKind(),
  ...['eslint.config.js', 'package-lock.json', 'tsconfig.json'].map(read),
  ...['clean-files.ts', 'lint.ts', 'source-shapes.ts'].map((name) => read(`scripts/check/${name}`)),
);

const cleanFiles = new CleanFiles('.', common);
const keys = keysOf(readSources(cleanFiles), common, (path) => hashOf(readIfThere(path)));
const changed = [...keys].filter(([path, key]) => !cleanFiles.isClean(path, key));
const results = await lint(changed.map(([path]) => path));
const unclean = new Set(
  results
    .filter((result) => result.messages.length > 0)
    .map((result) => relative(process.cwd(), result.filePath)),
);
cleanFiles.save(new Map([...keys].filter(([path]) => !unclean.has(path))));
process.exitCode = results.some((result) => result.errorCount > 0) ? 1 : 0;

async function lint(paths: readonly string[]): Promise<readonly ESLint.LintResult[]> {
  if (paths.length === 0) return [];
  const eslint = new ESLint({ warnIgnored: false, errorOnUnmatchedPattern: false });
  const found = await eslint.lintFiles([...paths]);
  const formatter = await eslint.loadFormatter('stylish');
  process.stdout.write(await formatter.format(found));
  return found;
}

function readSources(cache: CleanFiles): ReadonlyMap<string, Source> {
  return new Map(
    listSources('.').map((path) => {
      const text = read(path);
      const textHash = hashOf(path, text);
      const facts = cache.factsOf(textHash, () => readSourceFacts(path, text));
      return [path, { ...facts, textHash }];
    }),
  );
}

function listSources(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return neverLinted.has(entry.name) ? [] : listSources(path);
    return entry.isFile() && sourceFile.test(entry.name) ? [path] : [];
  });
}

function read(path: string): string {
  return readFileSync(path, 'utf8');
}

/** What package.json says of how files are read; its versions are in the lock, and its scripts change no result. */
function packageKind(): string {
  const { type, imports, exports } = JSON.parse(read('package.json')) as Record<string, unknown>;
  return JSON.stringify({ type, imports, exports });
}

function readIfThere(path: string): string {
  try {
    return read(path);
  } catch {
    return 'not there';
  }
}
