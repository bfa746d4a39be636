import { oddModes } from '../contracts/odd-modes.js';
import { BerthHome } from '../fakes/berth-home.js';

oddModes('process', (through) => new BerthHome('process', {}, { through }));
