/** Checks that a new entry of a table does not compile until each place that must know it does. */
import { expect, it } from 'vitest';
import { compileErrors } from './compile-errors.js';

const providerTable = 'shared/protocol/provider-table.ts';
const channel = 'host/channels/channel.ts';

function filesOf(errors: readonly string[]): readonly string[] {
  return [...new Set(errors.map((error) => error.slice(0, error.indexOf(':'))))].sort();
}

it('a new provider is loaded by the runner', { timeout: 60_000 }, () => {
  const errors = compileErrors(
    {
      [providerTable]: (text) =>
        text.replace(
          '\n  echo: {',
          '\n  oracle: { runsTools: true, options: z.strictObject({}) },\n  echo: {',
        ),
    },
    ['container/providers/builtin-providers.ts'],
  );
  expect(filesOf(errors)).toEqual(['container/providers/builtin-providers.ts']);
  expect(errors[0]).toContain('oracle');
});

it('a new provider says whether it runs tools, and what can be set', { timeout: 60_000 }, () => {
  const errors = compileErrors({
    [providerTable]: (text) => text.replace('\n  echo: {', '\n  oracle: {},\n  echo: {'),
  });
  expect(filesOf(errors)).toEqual([providerTable]);
  expect(errors.join('\n')).toMatch(/runsTools/);
});

it('a new type of event is guarded and handled', { timeout: 60_000 }, () => {
  const errors = compileErrors(
    {
      [channel]: (text) =>
        text.replace(
          '\n  readonly receipt: ReceiptEvent;',
          '\n  readonly receipt: ReceiptEvent;\n  readonly typing: EditEvent;',
        ),
    },
    ['host/channels/channel-guard.ts', 'host/daemon/channel-events.ts'],
  );
  expect(filesOf(errors)).toEqual([
    'host/channels/channel-guard.ts',
    'host/daemon/channel-events.ts',
  ]);
  expect(errors.join('\n')).toMatch(/typing/);
});
