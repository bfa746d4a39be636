/** The words that a command is started through, so that it runs under another umask, as a service's UMask= would. */
export function underUmask(umask: string): readonly string[] {
  return ['/bin/sh', '-c', `umask ${umask}; exec "$@"`, 'sh'];
}
