/** The other end of the terminal's wire: what a command speaks to the daemon with. */
import { newId } from '../../../shared/base/ids.js';
import { LineSplitter } from './ndjson.js';
import { RecentIds } from './recent-ids.js';
import { TerminalLink } from './terminal-link.js';
import { openSocket } from './terminal-probe.js';
import { assertSocketPath, maxServerLineBytes } from './terminal-protocol.js';

export interface TerminalClientDeps {
  readonly socketPath: string;
  readonly connectTimeoutMs?: number;
}

/** Remembers over several connections what was received: what is sent again is left out. */
export class TerminalClient {
  readonly #deps: TerminalClientDeps;
  readonly #received = new RecentIds(10_000);

  constructor(deps: TerminalClientDeps) {
    this.#deps = deps;
  }

  /** Throws daemon_not_running, config_invalid (the path is too long) or io_failed. */
  async connect(): Promise<TerminalLink> {
    const { socketPath, connectTimeoutMs = 5_000 } = this.#deps;
    assertSocketPath(socketPath);
    const socket = await openSocket(socketPath, connectTimeoutMs);
    const link = new TerminalLink({
      socket,
      splitter: new LineSplitter(maxServerLineBytes),
      received: this.#received,
      newId,
    });
    link.start();
    return link;
  }
}
