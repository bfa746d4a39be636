/**
 * `npm run figures [-- command live]`: the figures of the code base; `command` adds what a command costs, and `live` what
 * one warm message does. Both need a build.
 */
import { fileURLToPath } from 'node:url';
import { commandFigures } from './command-cost.js';
import { renderFigures } from './figure.js';
import { readSourceTree } from './source-tree.js';
import { structureFigures } from './structure.js';
import { warmFigures } from './warm-counts.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const tree = readSourceTree(root, ['host', 'container', 'shared']);
const asked = process.argv.slice(2);
console.log(renderFigures('structure', structureFigures(tree)));
if (asked.includes('command')) console.log(renderFigures('a command', commandFigures()));
if (asked.includes('live')) {
  const { afterAck, whole } = await warmFigures();
  console.log(renderFigures('one warm message, from its ack to settled', afterAck));
  console.log(renderFigures('the same from its first byte to settled', whole));
}
