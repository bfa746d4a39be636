/** Names every provider that the runner knows, so that commands refuse the others. */
export const providerNames: readonly string[] = ['echo'];
