/** `npm run check`: all steps, or those that are named, side by side. Exit code 1 when one fails, 2 when none is meant. */
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { isOnCi } from '../ci.js';
import { describeResult, runSteps } from './run-steps.js';
import { stepsOfCheck } from './steps.js';

const caches = !isOnCi(process.env);
const all = stepsOfCheck(caches);
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !all.some((step) => step.name === name));

if (unknown.length > 0) {
  const names = all.map((step) => step.name).join(', ');
  console.error(`There is no step ${unknown.join(', ')}; the steps are ${names}.`);
  process.exitCode = 2;
} else {
  const steps = all.filter((step) => wanted.length === 0 || wanted.includes(step.name));
  const began = performance.now();
  const results = await runSteps(steps, Math.max(2, availableParallelism()), (result) => {
    console.log(describeResult(result));
  });
  const failed = results.filter((result) => !result.passed).map((result) => result.name);
  const tookS = ((performance.now() - began) / 1000).toFixed(1);
  const verdict = failed.length === 0 ? 'all passed' : `failed: ${failed.join(', ')}`;
  console.log(`${verdict} in ${tookS} s, ${caches ? 'with caches' : 'without caches'}`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}
