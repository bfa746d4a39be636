import { vi } from 'vitest';

/** Resolves when the check passes; rejects with its failure when it does not for too long. */
export async function until(check: () => void): Promise<void> {
  await vi.waitFor(check, { interval: 2, timeout: 3_000 });
}

/** Lets work that waits for nothing but its turn go on. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
