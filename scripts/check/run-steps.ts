/** Runs steps side by side and tells how each ended; the output of one that failed comes whole, in one piece. */
import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import type { Step } from './steps.js';

export interface StepResult {
  readonly name: string;
  readonly passed: boolean;
  /** What it printed, stdout and stderr in the order of their coming. */
  readonly output: string;
  readonly durationMs: number;
}

/** Starts steps in their order, at most `width` at a time, and reports each when it ends. Resolves with all results. */
export async function runSteps(
  steps: readonly Step[],
  width: number,
  report: (result: StepResult) => void,
): Promise<readonly StepResult[]> {
  const waiting = [...steps];
  const results: StepResult[] = [];
  const lane = async (): Promise<void> => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const result = await runStep(step);
      results.push(result);
      report(result);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  return results;
}

/** The lines about one step: its verdict, and what it printed if it failed. */
export function describeResult({ name, passed, output, durationMs }: StepResult): string {
  const verdict = `${passed ? 'ok  ' : 'FAIL'} ${name.padEnd(7)}${(durationMs / 1000).toFixed(1).padStart(6)} s`;
  return passed || output.trim() === '' ? verdict : `${verdict}\n\n${output.trim()}\n`;
}

function runStep({ name, command, args }: Step): Promise<StepResult> {
  const began = performance.now();
  const printed: Buffer[] = [];
  return new Promise((resolve) => {
    const end = (passed: boolean): void => {
      const output = Buffer.concat(printed).toString('utf8');
      resolve({ name, passed, output, durationMs: performance.now() - began });
    };
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', (chunk: Buffer) => printed.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => printed.push(chunk));
    child.once('error', (error) => {
      printed.push(Buffer.from(`${command} did not start: ${error.message}\n`));
      end(false);
    });
    child.once('close', (code, signal) => {
      if (signal !== null) printed.push(Buffer.from(`${command} was ended by ${signal}\n`));
      end(code === 0);
    });
  });
}
