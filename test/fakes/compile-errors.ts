/** Compiles this repository with some of its files changed in memory: for tests of what must not compile. */
import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** By path from the repository's root: the text that the file is to have, made from the one that it has. */
export type FileChanges = Readonly<Record<string, (text: string) => string>>;

/**
 * Type-checks the files that are changed, and `others`: those in which an error is expected, or none. Files that they import
 * are read, and not checked. Returns errors as `path: message`. Takes a few seconds. Throws where a change changes nothing.
 */
export function compileErrors(
  changes: FileChanges,
  others: readonly string[] = [],
): readonly string[] {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root, { noEmit: true });
  const changed = new Map(
    Object.entries(changes).map(([path, change]) => {
      const text = readFileSync(join(root, path), 'utf8');
      const after = change(text);
      if (after === text) throw new Error(`nothing is changed in ${path}`);
      return [join(root, path), after];
    }),
  );
  const host = ts.createCompilerHost(options);
  const readFile = host.readFile.bind(host);
  host.readFile = (path) => changed.get(resolve(path)) ?? readFile(path);
  const paths = [...Object.keys(changes), ...others].map((path) => join(root, path));
  const program = ts.createProgram(paths, options, host);
  return paths
    .flatMap((path) => program.getSemanticDiagnostics(program.getSourceFile(path)))
    .map(({ file, messageText }) => {
      const path = file === undefined ? '' : relative(root, file.fileName);
      return `${path}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
}
