/** Whether this runs on CI, where nothing may depend on what an earlier run left; .ci/run sets CI, as CI services do. */
export function isOnCi(env: Readonly<Record<string, string | undefined>>): boolean {
  const ci = env['CI'] ?? '';
  return ci !== '' && ci !== '0' && ci !== 'false';
}
