/** The production files of a tree, with what they import of one another. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

export interface SourceTree {
  readonly files: readonly SourceFile[];
}

export interface SourceFile {
  /** From the tree's root. */
  readonly path: string;
  readonly folder: string;
  /** Lines of the file, empty ones and comments too. */
  readonly lines: number;
  readonly syntax: ts.SourceFile;
  /** Paths of the production files that it imports, types too. */
  readonly imports: readonly string[];
}

/** Reads what is not test code below these folders. */
export function readSourceTree(root: string, folders: readonly string[]): SourceTree {
  const paths = folders.flatMap((folder) => listSources(root, folder));
  const known = new Set(paths);
  return { files: paths.map((path) => readSource(root, path, known)) };
}

function listSources(root: string, folder: string): readonly string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return listSources(root, path);
    return /(?<!\.test)\.ts$/.test(entry.name) ? [path] : [];
  });
}

function readSource(root: string, path: string, known: ReadonlySet<string>): SourceFile {
  const text = readFileSync(join(root, path), 'utf8');
  const syntax = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  const imports = ts
    .preProcessFile(text)
    .importedFiles.map(({ fileName }) => join(dirname(path), fileName).replace(/\.js$/, '.ts'))
    .filter((target) => known.has(target));
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  return { path, folder: dirname(path), lines, syntax, imports };
}
