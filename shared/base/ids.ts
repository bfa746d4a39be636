import { createHash, randomUUID } from 'node:crypto';

/** `ag` agent group, `mg` messaging group, `w` wiring, `s` session, `m` message in, `o` message out, `q` question, `t` task. */
export type IdPrefix = 'ag' | 'mg' | 'w' | 's' | 'm' | 'o' | 'q' | 't';

/** Makes an id: prefix, time, chance. Ids of one prefix sort by the millisecond they were made in. */
export type NewId = (prefix: IdPrefix) => string;

export const newId: NewId = (prefix) => `${prefix}-${Date.now().toString(36)}${chance()}`;

/** Ten hexadecimal digits. The first twelve of a random UUID are chance, and Node asks the system for many of them at once. */
function chance(): string {
  return randomUUID().replace('-', '').slice(0, 10);
}

/** The same parts give the same id: how a repeated platform message is known by its primary key. */
export function idFrom(prefix: IdPrefix, ...parts: string[]): string {
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  return `${prefix}-${hash.slice(0, 24)}`;
}
