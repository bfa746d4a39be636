/** The rooms of host/ (the folders right below it, with all that is in them) and the floors that their imports make of them. */
import type { SourceFile, SourceTree } from './source-tree.js';

export interface Rooms {
  /** The folders right below the top. */
  readonly names: readonly string[];
  /** Production files of each folder, those in folders of its own not among them. */
  readonly sizes: ReadonlyMap<string, number>;
  /** The length of the longest chain of imports between rooms; rooms that import each other count as one floor. */
  readonly floors: number;
  /** Pairs of folders that import each other, also of one room. */
  readonly mutual: readonly (readonly [string, string])[];
}

type Graph = ReadonlyMap<string, ReadonlySet<string>>;

export function roomsOf(tree: SourceTree, top: string): Rooms {
  const files = tree.files.filter(({ path }) => path.startsWith(`${top}/`));
  const sizes = new Map<string, number>();
  for (const { folder } of files) sizes.set(folder, (sizes.get(folder) ?? 0) + 1);
  // The files of the top folder stand on floors of their own; the process's edge (main.ts) is none.
  const floorOf = ({ path, folder }: SourceFile): string =>
    folder === top ? path : roomOf(folder);
  const roomOf = (folder: string): string => folder.split('/').slice(0, 2).join('/');
  const inside = files.filter(({ path }) => path !== `${top}/main.ts`);
  return {
    names: [...new Set([...sizes.keys()].filter((folder) => folder !== top).map(roomOf))],
    sizes,
    floors: floorsOf(graphOf(inside, floorOf)),
    mutual: mutualPairs(graphOf(files, ({ folder }) => folder)),
  };
}

function graphOf(files: readonly SourceFile[], nodeOf: (file: SourceFile) => string): Graph {
  const nodes = new Map(files.map((file) => [file.path, nodeOf(file)]));
  const graph = new Map<string, Set<string>>();
  for (const { path, imports } of files) {
    const from = nodes.get(path) ?? path;
    const targets = graph.get(from) ?? new Set<string>();
    graph.set(from, targets);
    for (const imported of imports) {
      const to = nodes.get(imported);
      if (to !== undefined && to !== from) targets.add(to);
    }
  }
  return graph;
}

function mutualPairs(graph: Graph): readonly (readonly [string, string])[] {
  return [...graph].flatMap(([from, targets]) =>
    [...targets]
      .filter((to) => from < to && graph.get(to)?.has(from) === true)
      .map((to) => [from, to] as const),
  );
}

function floorsOf(graph: Graph): number {
  const heights = new Map<string, number>();
  const heightOf = (room: string): number => {
    const known = heights.get(room);
    if (known !== undefined) return known;
    const circle = roomsInCircleWith(room, graph);
    // A circle has one height: the rooms outside of it that it stands on, and one more.
    const below = circle.flatMap((one) =>
      [...(graph.get(one) ?? [])].filter((to) => !circle.includes(to)),
    );
    const height = 1 + Math.max(0, ...below.map(heightOf));
    for (const one of circle) heights.set(one, height);
    return height;
  };
  return Math.max(0, ...[...graph.keys()].map(heightOf));
}

function roomsInCircleWith(room: string, graph: Graph): readonly string[] {
  const others = [...reachable(room, graph)].filter((to) => reachable(to, graph).has(room));
  return [...new Set([room, ...others])];
}

function reachable(start: string, graph: Graph): ReadonlySet<string> {
  const seen = new Set<string>();
  const open = [start];
  for (let room = open.pop(); room !== undefined; room = open.pop()) {
    for (const to of graph.get(room) ?? []) {
      if (!seen.has(to)) open.push(to);
      seen.add(to);
    }
  }
  return seen;
}
