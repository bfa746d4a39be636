import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';
import prettier from 'eslint-config-prettier';

const restrictedSyntax = [
  {
    selector: 'Program > VariableDeclaration[kind="let"]',
    message: 'No module state: put it in a class or pass it in.',
  },
  {
    selector: 'Program > ExportNamedDeclaration > VariableDeclaration[kind="let"]',
    message: 'No module state.',
  },
  { selector: 'TSEnumDeclaration', message: 'Use a union of string literals.' },
];

export default defineConfig(
  { ignores: ['dist/', 'coverage/', 'data/', '**/*.cjs', '**/*.mjs', 'node_modules/'] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['*.js'] } } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: false, requireDefaultForNonUnion: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      'no-console': 'error',
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true } }],
      'no-restricted-syntax': [
        'error',
        ...restrictedSyntax,
        {
          selector: 'ImportExpression',
          message: 'Import at the top; a dynamic import hides an edge of the graph.',
        },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Read it once, in host/config/config.ts.' },
      ],
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'max-depth': ['error', 3],
      complexity: ['error', 12],
      'preserve-caught-error': 'error',
    },
  },
  // The program's edges: each side reads its environment in one place.
  {
    files: [
      'host/config/config.ts',
      'container/main.ts',
      'test/**',
      'bench/**',
      'scripts/**',
      'vitest.config.ts',
    ],
    rules: { 'no-restricted-properties': 'off' },
  },
  {
    files: [
      'host/cli/output/terminal-output.ts',
      'bench/**',
      'scripts/**',
      'test/docker/global-setup.ts',
    ],
    rules: { 'no-console': 'off' },
  },
  {
    files: ['**/*.test.ts', 'test/**'],
    rules: {
      'max-lines': ['error', { max: 500 }],
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  // A command loads what it needs, and no more: what the daemon is made of takes a third of a second. A channel's type is known
  // to commands, and what it is made of is loaded where there is such a channel. A runner holds one provider of all.
  {
    files: [
      'host/cli/program.ts',
      'host/cli/daemon/lifecycle.ts',
      'host/cli/daemon/image.ts',
      'host/channels/*/*-type.ts',
      'container/providers/builtin-providers.ts',
    ],
    rules: { 'no-restricted-syntax': ['error', ...restrictedSyntax] },
  },
  { files: ['*.config.*'], rules: { 'no-restricted-exports': 'off' } },
  prettier,
);
