import type { Mailbox } from '../sessions/mailbox/mailbox.js';

/** How many are passed over together. */
const headsAtOnce = 1_000;

/** The last seq of a session's rows, from the first on, that are final. */
export async function findSettledThrough(
  mailbox: Pick<Mailbox, 'inbound' | 'outbound'>,
  sessionId: string,
): Promise<number> {
  for (let through = 0; ;) {
    const heads = await mailbox.outbound(sessionId, 'listHeads', through, headsAtOnce);
    if (heads.length === 0 || (heads[0]?.seq ?? 0) <= through) return through;
    const ids = heads.map(({ id }) => id);
    const settled = await mailbox.inbound(sessionId, 'findSettledOut', ids);
    const open = heads.findIndex(({ id }) => !settled.has(id));
    const last = open === -1 ? heads.at(-1) : heads[open - 1];
    through = last?.seq ?? through;
    if (open !== -1 || heads.length < headsAtOnce) return through;
  }
}
