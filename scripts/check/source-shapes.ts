/**
 * Says of each source file whether a lint result of it still holds.
 *
 * Rules that know types see more than the file: a function that begins to return a promise makes its callers wrong.
 * So a file's key is made of its text and of the shapes (declarations) of all that it imports, directly or not.
 */
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import ts from 'typescript';

export interface SourceFacts {
  /** Relative specifiers of its imports, as written. */
  readonly imports: readonly string[];
  /** A hash of what other files can see of this one. */
  readonly shape: string;
  /** Whether it declares things for files that do not import it. */
  readonly ambient: boolean;
}

export function hashOf(...parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('base64url');
}

const shapeOptions: ts.CompilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  verbatimModuleSyntax: true,
  declaration: true,
  isolatedDeclarations: true,
};

/** Reads from a file's text alone. Where its declarations depend on other files, its shape is its whole text. */
export function readSourceFacts(path: string, text: string): SourceFacts {
  const { importedFiles } = ts.preProcessFile(text);
  const imports = importedFiles.map((file) => file.fileName).filter((name) => name.startsWith('.'));
  const isModule = /^(import|export)\b/m.test(text);
  const { outputText, diagnostics } = ts.transpileDeclaration(text, {
    fileName: path,
    compilerOptions: shapeOptions,
    reportDiagnostics: true,
  });
  const standsAlone = path.endsWith('.ts') && (diagnostics ?? []).length === 0;
  return {
    imports,
    shape: hashOf(standsAlone ? outputText : text),
    ambient: !isModule || /^\s*declare (global|module)\b/m.test(text),
  };
}

export interface Source extends SourceFacts {
  readonly textHash: string;
}

/**
 * The key of each path. `common` is what every result depends on; `shapeOfOther` says the shape of an imported
 * file that is none of the sources.
 */
export function keysOf(
  sources: ReadonlyMap<string, Source>,
  common: string,
  shapeOfOther: (path: string) => string,
): ReadonlyMap<string, string> {
  const ambient = [...sources].filter(([, source]) => source.ambient);
  const everywhere = hashOf(
    common,
    ...ambient.flatMap(([path, source]) => [path, source.textHash]),
  );
  return new Map(
    [...sources].map(([path, source]) => {
      const seen = reachableFrom(path, sources);
      const shapes = [...seen]
        .sort()
        .flatMap((other) => [other, sources.get(other)?.shape ?? shapeOfOther(other)]);
      return [path, hashOf(everywhere, path, source.textHash, ...shapes)];
    }),
  );
}

function reachableFrom(start: string, sources: ReadonlyMap<string, Source>): ReadonlySet<string> {
  const seen = new Set<string>();
  const open = [start];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    for (const specifier of sources.get(path)?.imports ?? []) {
      const target = targetOf(join(dirname(path), specifier), sources);
      if (seen.has(target)) continue;
      seen.add(target);
      open.push(target);
    }
  }
  return seen;
}

/** An import names the compiled file; the sources have the other ending. */
function targetOf(path: string, sources: ReadonlyMap<string, Source>): string {
  const source = path.replace(/\.([cm]?)js$/, '.$1ts');
  return sources.has(source) ? source : path;
}
