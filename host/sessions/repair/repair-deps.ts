import type { Clock } from '../../../shared/base/clock.js';
import type { Logger } from '../../../shared/base/logger.js';
import type { Migration } from '../../../shared/base/sqlite/migrate.js';
import type { Store } from '../../store/store.js';
import type { InboundPort } from '../mailbox/inbound-calls.js';
import type { Mailbox } from '../mailbox/mailbox.js';
import type { Nudges } from '../nudges.js';
import type { SessionFolders } from '../session-folder.js';
import type { SessionRegistry } from '../session-registry.js';

/** Everything that repairs use. */
export interface RepairDeps {
  readonly store: Store;
  readonly mailbox: Mailbox;
  /** Writes a fresh inbound.db before it is in its place. */
  readonly inboundFiles: InboundPort;
  readonly folders: SessionFolders;
  readonly sessions: SessionRegistry;
  readonly inboundMigrations: readonly Migration[];
  readonly outboundMigrations: readonly Migration[];
  readonly clock: Clock;
  readonly log: Logger;
  /** `container`: the session's container must end; once it has, SessionRecovery's `repair` is called. */
  readonly nudges: Pick<Nudges, 'container' | 'notices' | 'schedule'>;
}
