/** Shows that a closed union cannot grow in one place only: the compiler itself is asked, over the real sources. */
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** A file and a change of its text, as somebody makes it who adds to a union. */
interface Change {
  readonly path: string;
  readonly from: string;
  readonly to: string;
}

/** The program's own options; a file that is reached again is parsed once. */
function compilerOf(): (files: readonly string[], change?: Change) => readonly string[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) =>
    ts.sys.readFile(path),
  ) as {
    config: unknown;
  };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const host = ts.createCompilerHost({ ...options, noEmit: true });
  const parsed = new Map<string, ts.SourceFile | undefined>();
  return (files, change) => {
    const changed = change === undefined ? undefined : textAfter(change);
    const program = ts.createProgram({
      rootNames: files.map((file) => join(root, file)),
      options: { ...options, noEmit: true },
      host: {
        ...host,
        getSourceFile: (path, language) => {
          if (resolve(path) === changed?.path) {
            return ts.createSourceFile(path, changed.text, language, true);
          }
          if (!parsed.has(path)) parsed.set(path, host.getSourceFile(path, language));
          return parsed.get(path);
        },
      },
    });
    return files.flatMap((file) =>
      program
        .getSemanticDiagnostics(program.getSourceFile(join(root, file)))
        .map(({ messageText }) => `${file}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`),
    );
  };
}

function textAfter({ path, from, to }: Change): { readonly path: string; readonly text: string } {
  const text = readFileSync(join(root, path), 'utf8');
  expect(text.split(from), `${path} has it once`).toHaveLength(2);
  return { path: join(root, path), text: text.replace(from, to) };
}

const unions: readonly (Change & {
  readonly what: string;
  readonly mustKnow: readonly string[];
})[] = [
  {
    what: 'a name of an event',
    path: 'host/store/session-events.ts',
    from: `  'session.created',\n`,
    to: `  'session.created',\n  'session.invented',\n`,
    mustKnow: ['host/operations/event-words.ts'],
  },
  {
    what: 'a status of a session',
    path: 'host/store/sessions.ts',
    from: `export type SessionStatus = 'active'`,
    to: `export type SessionStatus = 'invented' | 'active'`,
    mustKnow: ['host/sessions/session-transitions.ts', 'host/operations/session-waits.ts'],
  },
  {
    what: 'a kind of due work',
    path: 'host/store/due-items.ts',
    from: `  prune: 'old rows`,
    to: `  invented: 'somebody has invented it',\n  prune: 'old rows`,
    mustKnow: ['host/daemon/due-handlers.ts', 'host/operations/session-waits.ts'],
  },
  {
    what: 'a change of a session’s status',
    path: 'host/sessions/session-transitions.ts',
    from: `export type StatusChange = 'take'`,
    to: `export type StatusChange = 'invent' | 'take'`,
    mustKnow: ['host/sessions/session-transitions.ts'],
  },
  {
    what: 'an action of agents',
    path: 'host/delivery/actions/builtin-actions.ts',
    from: `export const actions = [`,
    to: `const invented = { ...listTasks, name: 'invented' } as const;\nexport const actions = [invented, `,
    mustKnow: ['host/delivery/actions/builtin-actions.ts'],
  },
  {
    what: 'an operation',
    path: 'host/operations/builtin-operations.ts',
    from: `export const operations = [`,
    to: `const invented = { ...testWirings, name: 'invented' } as const;\nexport const operations = [invented, `,
    mustKnow: ['host/operations/builtin-operations.ts'],
  },
  {
    what: 'a provider',
    path: 'shared/protocol/provider-table.ts',
    from: `\n  echo: {`,
    to: `\n  invented: { runsTools: true, options: z.strictObject({}) },\n  echo: {`,
    mustKnow: ['container/providers/builtin-providers.ts'],
  },
  {
    what: 'a type of channel event',
    path: 'host/channels/channel.ts',
    from: `\n  readonly receipt: ReceiptEvent;`,
    to: `\n  readonly receipt: ReceiptEvent;\n  readonly invented: EditEvent;`,
    mustKnow: ['host/channels/channel-guard.ts', 'host/daemon/channel-events.ts'],
  },
  {
    what: 'a runtime',
    path: 'shared/protocol/runtime-names.ts',
    from: `'process']`,
    to: `'process', 'invented']`,
    mustKnow: ['host/containers/runtime/builtin-runtimes.ts'],
  },
  {
    what: 'a field of the posture',
    path: 'host/containers/spec/posture.ts',
    from: 'export interface Posture {',
    to: 'export interface Posture {\n  readonly invented: 0;',
    mustKnow: ['host/containers/runtime/docker/docker-posture.ts'],
  },
];

describe('a union that is closed', () => {
  const compile = compilerOf();

  it('compiles as it is', () => {
    expect(compile([...new Set(unions.flatMap(({ mustKnow }) => mustKnow))])).toEqual([]);
  });

  it.each(unions)(
    'does not compile with $what that nobody else knows',
    ({ mustKnow, ...change }) => {
      const errors = compile(mustKnow, change);
      for (const file of mustKnow) {
        const found = errors.filter((error) => error.startsWith(file));
        expect(found.length, file).toBeGreaterThanOrEqual(1);
        expect(found.join('\n')).toMatch(/invent/);
      }
    },
  );
});
