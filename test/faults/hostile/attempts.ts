/** All attempts, as the fault test and the benchmark of a bystander make them. */
import { addManyViews } from './many-views.js';
import type { Attempt } from './attempt.js';
import { disorderIndex } from './disordered-index.js';
import { exchangeLinks } from './exchange-links.js';
import { holdLease } from './hold-lease.js';
import { loopTheSchema } from './schema-loop.js';
import { makeIndexEndless } from './endless-index.js';

/** The session of an agent that means harm. */
export interface Victim {
  readonly outDir: string;
  readonly platformId: string;
  /** A file of the host that the agent may not read. */
  readonly secretFile: string;
}

export interface NamedAttempt {
  readonly name: string;
  /** Whether the daemon is to do something about the session, and says so in its chat. */
  readonly isNoticed: boolean;
  begin(victim: Victim): Promise<Attempt>;
}

export const attempts: readonly NamedAttempt[] = [
  { name: 'a held lease', isNoticed: true, begin: ({ outDir }) => holdLease(outDir) },
  { name: 'a schema without end', isNoticed: true, begin: once(loopTheSchema) },
  { name: '200,000 views', isNoticed: true, begin: once(addManyViews) },
  { name: 'an index without end', isNoticed: true, begin: once(makeIndexEndless) },
  { name: 'a disordered index', isNoticed: true, begin: once(disorderIndex) },
  {
    name: 'exchanged links',
    // Its replies fail one by one; the session goes on.
    isNoticed: false,
    begin: ({ outDir, platformId, secretFile }) => exchangeLinks(outDir, platformId, secretFile),
  },
];

function once(apply: (outDir: string, platformId: string) => void): NamedAttempt['begin'] {
  return async ({ outDir, platformId }) => {
    await Promise.resolve();
    apply(outDir, platformId);
    return { [Symbol.asyncDispose]: () => Promise.resolve() };
  };
}
