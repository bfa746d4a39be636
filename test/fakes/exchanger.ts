/** A process that exchanges two entries of folders as fast as it can, as a hostile container would. Linux only. */
import { execa } from 'execa';

const program = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
one, other = (os.fsencode(path) for path in sys.argv[1:3])
AT_FDCWD, RENAME_EXCHANGE = -100, 2
print('ready', flush=True)
while True:
    if libc.renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
`;

/** Two entries of folders are exchanged all the time while `work` runs. */
export async function whileExchanging<T>(
  one: string,
  other: string,
  work: () => Promise<T>,
): Promise<T> {
  const exchanger = execa('python3', ['-c', program, one, other], { reject: false });
  try {
    await new Promise((resolve) => exchanger.stdout.once('data', resolve));
    const result = await work();
    if (exchanger.exitCode !== null)
      throw new Error(`It ended by itself: ${(await exchanger).stderr}`);
    return result;
  } finally {
    exchanger.kill('SIGKILL');
    await exchanger;
  }
}
