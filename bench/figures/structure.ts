/** Counts what can be counted in the source text alone. */
import ts from 'typescript';
import { atMostFigure, plainFigure, type Figure } from './figure.js';
import { roomsOf } from './rooms.js';
import type { SourceFile, SourceTree } from './source-tree.js';

const longestFunction = 60;

export function structureFigures(tree: SourceTree): readonly Figure[] {
  const { files } = tree;
  const rooms = roomsOf(tree, 'host');
  const [largest = ['', 0]] = [...rooms.sizes].sort((a, b) => b[1] - a[1]);
  const [longest] = [...files].sort((a, b) => b.lines - a.lines);
  const long = files.flatMap(longFunctions);
  const callbacks = files.flatMap(callbackNames);
  return [
    plainFigure(
      'production lines',
      files.reduce((sum, { lines }) => sum + lines, 0),
      `${files.length} files; about 23,500, then 28,000, is a guide: never denser lines for it`,
    ),
    atMostFigure('host rooms', rooms.names.length, 12),
    atMostFigure('floors of host rooms', rooms.floors, 6),
    atMostFigure(
      'pairs of folders importing each other',
      rooms.mutual.length,
      0,
      rooms.mutual.map((pair) => pair.join('~')).join(' '),
    ),
    atMostFigure('files in the largest flat folder', largest[1], 21, largest[0]),
    atMostFigure('lines of the longest file', longest?.lines ?? 0, 300, longest?.path),
    atMostFigure(`functions over ${longestFunction} lines`, long.length, 0, long.join(' ')),
    atMostFigure(
      'callbacks in deps (readonly on…)',
      callbacks.length,
      20,
      `under ${new Set(callbacks).size} names`,
    ),
  ];
}

/** `file:lines` of each function that is too long, from its first line to its last. */
function longFunctions({ path, syntax }: SourceFile): readonly string[] {
  return nodesOf(syntax)
    .filter((node) => ts.isFunctionLike(node) && 'body' in node)
    .map((node) => lineAt(syntax, node.getEnd()) - lineAt(syntax, node.getStart()) + 1)
    .filter((lines) => lines > longestFunction)
    .map((lines) => `${path}:${lines}`);
}

function callbackNames({ syntax }: SourceFile): readonly string[] {
  return nodesOf(syntax)
    .filter(ts.isPropertySignature)
    .filter((node) => ts.getModifiers(node)?.some(isReadonly) === true)
    .map((node) => node.name.getText())
    .filter((name) => /^on[A-Z]/.test(name));
}

function isReadonly({ kind }: ts.Modifier): boolean {
  return kind === ts.SyntaxKind.ReadonlyKeyword;
}

function lineAt(syntax: ts.SourceFile, position: number): number {
  return syntax.getLineAndCharacterOfPosition(position).line;
}

function nodesOf(root: ts.Node): readonly ts.Node[] {
  const nodes: ts.Node[] = [root];
  root.forEachChild((child) => {
    nodes.push(...nodesOf(child));
  });
  return nodes;
}
