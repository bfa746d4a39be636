import { userInfo } from 'node:os';
import { nameSchema } from '../../channels/terminal/terminal-protocol.js';

/**
 * The user's name, as the sender of what is typed. A user who has no entry in the list of users, as in many containers,
 * or a name that no sender may have, goes by number: `user-1000`.
 */
export function findOwnName(
  find: () => string = (): string => userInfo().username,
  uid = process.getuid?.() ?? 0,
): string {
  try {
    const name = find();
    if (nameSchema.safeParse(name).success) return name;
  } catch {
    // There is no entry.
  }
  return `user-${uid}`;
}
