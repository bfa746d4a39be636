/** Limits that both sides hold to. */

/** The longest content JSON that is read from either side, in bytes. */
export const maxContentBytes = 1024 * 1024;

/** How many of the newest context messages a turn reads, and so how many are kept for one. */
export const contextSize = 200;
