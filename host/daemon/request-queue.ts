/** Does what commands ask of the daemon, in order, each once: a request is a row, and its outcome another column. */
import { toBerthError } from '../../shared/base/errors.js';
import type { Logger } from '../../shared/base/logger.js';
import { SingleFlight } from '../../shared/base/single-flight.js';
import type { Request } from '../store/requests.js';
import type { Store } from '../store/store.js';

/** Does one kind of request; doing it twice must be no harm, since a crash may come before its outcome is noted. */
export type RequestHandler = (payload: unknown) => Promise<unknown>;

export interface RequestQueueDeps {
  readonly store: Store;
  /** By the kind of a request; undefined where there is none. */
  readonly findHandler: (kind: string) => RequestHandler | undefined;
  readonly log: Logger;
}

export class RequestQueue {
  readonly #deps: RequestQueueDeps;
  readonly #flights: SingleFlight;

  constructor(deps: RequestQueueDeps) {
    this.#deps = deps;
    this.#flights = new SingleFlight(() => this.#work());
  }

  /** Reads the requests soon. */
  nudge(): void {
    void this.#flights.request('requests');
  }

  async drain(): Promise<void> {
    await this.#flights.idle();
  }

  async #work(): Promise<void> {
    const { store, log } = this.#deps;
    try {
      for (const request of store.requests.listPending()) await this.#answer(request);
    } catch (err) {
      log.error({ err }, 'requests could not be read');
    }
  }

  async #answer({ id, kind, payload }: Request): Promise<void> {
    const { store, findHandler, log } = this.#deps;
    try {
      const handle = findHandler(kind);
      if (handle === undefined) throw new Error(`This daemon knows no request ${kind}.`);
      const outcome = await handle(JSON.parse(payload));
      store.requests.settle(id, 'done', JSON.stringify(outcome ?? null));
      log.info({ request: id, kind }, 'request done');
    } catch (err) {
      const { code, message, next } = toBerthError(err);
      log.warn({ err, request: id, kind }, 'request failed');
      store.requests.settle(id, 'failed', JSON.stringify({ code, message, next }));
    }
  }
}
