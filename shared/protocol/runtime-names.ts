/** Names every runtime that a setting can ask for. A new name does not compile until builtin-runtimes.ts knows it. */
export const runtimeNames = ['docker', 'process'] as const;

export type RuntimeName = (typeof runtimeNames)[number];
