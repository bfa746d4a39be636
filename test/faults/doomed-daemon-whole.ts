/**
 * The whole daemon as `berth start` runs it, with one difference: it may kill itself when it says a certain thing for
 * the n-th time. That, and what it uses in place of the program's own files, stands in BERTH_TEST_DOOM.
 */
import { Writable } from 'node:stream';
import { runDaemon } from '../../host/cli/daemon/run-daemon.js';
import { TerminalOutput } from '../../host/cli/output/terminal-output.js';
import { loadConfig } from '../../host/config/config.js';
import { programVersion } from '../../host/config/program.js';
import { systemClock } from '../../shared/base/clock.js';
import { newId } from '../../shared/base/ids.js';
import type { Doom } from './doomed-home.js';

class DoomedOutput extends TerminalOutput {
  readonly #doom: Doom;
  #seen = 0;

  constructor(doom: Doom) {
    super({ stdout: nowhere(), stderr: nowhere(), isJson: () => true });
    this.#doom = doom;
  }

  /** Called by the logger at the very place that speaks. */
  override line(text: string): void {
    const { msg } = JSON.parse(text) as { readonly msg?: string };
    // Nothing that a fault test does may end a daemon by itself; on a full disk no log would tell.
    if (msg === 'unexpected failure' || msg === 'daemon failed') process.stderr.write(`${text}\n`);
    if (msg === undefined || msg !== this.#doom.line) return;
    this.#seen += 1;
    if (this.#seen === (this.#doom.nth ?? 1)) process.kill(process.pid, 'SIGKILL');
  }
}

function nowhere(): Writable {
  return new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
}

const doom = JSON.parse(process.env['BERTH_TEST_DOOM'] ?? '{}') as Doom;
const { config, settings } = loadConfig({ BERTH_LOG_LEVEL: 'debug' });
const program = { ...config.program, ...doom.program };

process.exitCode = await runDaemon(
  {
    config: { ...config, program },
    settings,
    notes: [],
    homeNotes: [],
    unusable: undefined,
    flags: {},
    version: programVersion(),
    output: new DoomedOutput(doom),
    edge: {
      argv: [],
      stdin: process.stdin,
      stdout: process.stdout,
      stderr: process.stderr,
      self: { command: process.execPath, args: process.argv.slice(1) },
      onStopRequest: (listen) => {
        process.once('SIGTERM', () => {
          listen('stop');
        });
      },
      onCrash: (listen) => {
        process.on('uncaughtException', listen);
        process.on('unhandledRejection', listen);
      },
    },
    clock: systemClock,
    newId,
  },
  { isDetached: false },
);
process.exit();
