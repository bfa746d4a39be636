/** A process that exchanges two entries of folders as fast as it can, as a hostile container would. Linux only. */
import { execa } from 'execa';

const program = `
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
one, other = (os.fsencode(path) for path in sys.argv[1:3])
AT_FDCWD, RENAME_EXCHANGE = -100, 2
while libc.renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) != 0:
    time.sleep(0.01)
print('ready', flush=True)
while True:
    libc.renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE)
`;

/** Two entries of folders are exchanged while `work` runs, whenever both are there. They are in the beginning. */
export async function whileExchanging<T>(
  one: string,
  other: string,
  work: () => Promise<T>,
): Promise<T> {
  const exchanger = execa('python3', ['-c', program, one, other], { reject: false });
  try {
    await new Promise((resolve) => exchanger.stdout.once('data', resolve));
    return await work();
  } finally {
    exchanger.kill('SIGKILL');
    await exchanger;
  }
}
