/** `npm run figures [-- live]`: the figures of the code base; `live` also counts what one warm message costs. */
import { fileURLToPath } from 'node:url';
import { renderFigures } from './figure.js';
import { readSourceTree } from './source-tree.js';
import { structureFigures } from './structure.js';
import { warmFigures } from './warm-counts.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const tree = readSourceTree(root, ['host', 'container', 'shared']);
const asked = process.argv.slice(2);
console.log(renderFigures('structure', structureFigures(tree)));
if (asked.includes('live')) {
  const { afterAck, whole } = await warmFigures();
  console.log(renderFigures('one warm message, from its ack to settled', afterAck));
  console.log(renderFigures('the same from its first byte to settled', whole));
}
