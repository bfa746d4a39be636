import { vi } from 'vitest';

/** Far beyond what any check needs: a slow machine is no failure. */
const patience = { interval: 5, timeout: 30_000 };

/** Resolves with what the check returns when it passes; rejects with its failure when it never does. */
export function until<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, patience);
}

/** Lets work that waits for nothing but its turn go on. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
