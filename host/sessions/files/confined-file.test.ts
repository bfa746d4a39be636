import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { whileExchanging } from '../../../test/fakes/exchanger.js';
import {
  noProcReason,
  withConfinedFile,
  withConfinedFolder,
  type Demand,
} from './confined-file.js';

const secret = 'the host’s own';
const opensInRace = 2_000;

describe('a file below a folder that a container writes to', () => {
  let root: string;
  let out: string;
  let box: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'berth-confined-'));
    out = join(root, 'out');
    box = join(out, 'outbox', 'o-1');
    mkdirSync(box, { recursive: true });
    writeFileSync(join(box, 'file'), 'mine');
    mkdirSync(join(root, 'host', 'o-1'), { recursive: true });
    for (const path of ['file', 'o-1/file']) writeFileSync(join(root, 'host', path), secret);
  });

  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });

  const filePath = ['outbox', 'o-1', 'file'] as const;

  async function read(names: readonly string[] = filePath, demand: Demand = { isOwn: true }) {
    return await withConfinedFile(out, names, demand, async ({ handle }) =>
      (await handle.readFile()).toString(),
    );
  }

  /** `refused: <reason>` where it is refused; throws what else is thrown. */
  async function tryRead(names?: readonly string[], demand?: Demand): Promise<string> {
    return await read(names, demand).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'file_refused' });
      return `refused: ${(error as { facts: { reason: string } }).facts.reason}`;
    });
  }

  function replaceFile(): string {
    const file = join(box, 'file');
    rmSync(file);
    return file;
  }

  it('is read at any depth', async () => {
    writeFileSync(join(out, 'heartbeat'), 'beat');
    expect(await read()).toBe('mine');
    expect(await read(['heartbeat'])).toBe('beat');
  });

  const odd: readonly (readonly [string, () => unknown, RegExp])[] = [
    ['nothing', () => replaceFile(), /ENOENT/],
    [
      'a folder',
      () => {
        mkdirSync(replaceFile());
      },
      /it is a folder/,
    ],
    [
      'a link to a host file',
      () => {
        symlinkSync('../../../host/file', replaceFile());
      },
      /it is a link/,
    ],
    [
      'a link to nowhere',
      () => {
        symlinkSync('/nowhere', replaceFile());
      },
      /it is a link/,
    ],
    [
      'a link to a file beside it',
      () => {
        writeFileSync(join(box, 'other'), 'x');
        symlinkSync('other', replaceFile());
      },
      /it is a link/,
    ],
    [
      'a file with two names',
      () => {
        linkSync(join(root, 'host', 'file'), replaceFile());
      },
      /2 names/,
    ],
    [
      'a link in its folder’s place',
      () => {
        rmSync(box, { recursive: true });
        symlinkSync('../../host/o-1', box);
      },
      /ENOTDIR/,
    ],
    [
      'a link in the outbox’s place',
      () => {
        rmSync(join(out, 'outbox'), { recursive: true });
        symlinkSync('../host', join(out, 'outbox'));
      },
      /ENOTDIR/,
    ],
    [
      'a link in the place of the folder itself',
      () => {
        rmSync(out, { recursive: true });
        mkdirSync(join(root, 'host', 'outbox', 'o-1'), { recursive: true });
        writeFileSync(join(root, 'host', ...filePath), secret);
        symlinkSync('host', out);
      },
      /ENOTDIR/,
    ],
    [
      'a file in its folder’s place',
      () => {
        rmSync(box, { recursive: true });
        writeFileSync(box, 'x');
      },
      /ENOTDIR/,
    ],
    ['a pipe', () => execa('mkfifo', [replaceFile()]), /it is a pipe/],
    [
      'a socket',
      async () => {
        const server = createServer();
        await new Promise<void>((resolve) => server.listen(replaceFile(), resolve));
        server.unref();
      },
      /it is a socket/,
    ],
    // The rest only root can make, or is kept from root.
    ...(process.getuid?.() === 0
      ? ([
          ['a device', () => execa('mknod', [replaceFile(), 'c', '1', '3']), /it is a device/],
          [
            'another owner’s file',
            () => {
              chownSync(join(box, 'file'), 4_711, 4_711);
            },
            /uid 4711/,
          ],
        ] as const)
      : ([
          [
            'a file that may not be read',
            () => {
              chmodSync(join(box, 'file'), 0);
            },
            /EACCES/,
          ],
        ] as const)),
  ];

  it.each(odd)('is refused where there is %s', async (_, make, reason) => {
    await make();
    const before = readdirSync('/proc/self/fd').length;
    expect(await tryRead()).toMatch(reason);
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
  });

  it.each([
    '',
    '.',
    '..',
    '/',
    'a/b',
    '/etc/hostname',
    '../o-1/file',
    './file',
    'file/',
    'file\0',
    '\0',
    'half\ud83d',
    '\udc00',
    'x'.repeat(256),
    'é'.repeat(128),
  ])('is refused by the name %j', async (name) => {
    // The name that half a surrogate pair would be opened by.
    writeFileSync(join(box, 'half\ufffd'), 'x');
    const before = readdirSync('/proc/self/fd').length;
    expect(await tryRead(['outbox', 'o-1', name])).toMatch(/^refused/);
    if (name !== '' && name.length < 200)
      expect(await tryRead(['outbox', name, 'file'])).toMatch(/^refused/);
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
  });

  it('may have any other name, of up to 255 bytes', async () => {
    for (const name of ['a b', '...', '\\', '\n', 'é', 'x'.repeat(255), '\ufffd', '-rf', '%2f']) {
      writeFileSync(join(box, name), name);
      expect(await read(['outbox', 'o-1', name])).toBe(name);
    }
  });

  it('may have two names, and any owner, where it need not be the agent’s own', async () => {
    linkSync(join(box, 'file'), join(box, 'second'));
    if (process.getuid?.() === 0) chownSync(join(box, 'file'), 4_711, 4_711);
    expect(await read(filePath, {})).toBe('mine');
  });

  it('may belong to whom agents run as, also in a folder of somebody else', async () => {
    const uid = process.getuid?.() ?? 0;
    if (uid === 0) chownSync(out, 4_711, 4_711);
    expect(await read(filePath, { isOwn: true, agentUid: uid })).toBe('mine');
  });

  it('is closed also where its reader fails', async () => {
    const before = readdirSync('/proc/self/fd').length;
    const use = (): Promise<never> => Promise.reject(new Error('no'));
    await expect(withConfinedFile(out, filePath, {}, use)).rejects.toThrow('no');
    await expect(withConfinedFolder(out, ['outbox'], use)).rejects.toThrow('no');
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
  });

  it('lets go nobody who waits for the other end of a pipe', async () => {
    const pipe = replaceFile();
    const marker = join(root, 'marker');
    await execa('mkfifo', [pipe]);
    const writer = execa('sh', ['-c', `echo waits; echo x > "${pipe}"; echo x > "${marker}"`]);
    await new Promise((resolve) => writer.stdout.once('data', resolve));
    for (let i = 0; i < 50; i += 1) expect(await tryRead()).toMatch('it is a pipe');
    expect(existsSync(marker)).toBe(false);
    await execa('cat', [pipe]);
    await writer;
    expect(existsSync(marker)).toBe(true);
  });

  it('is refused at once where somebody holds a lease on it', async () => {
    const program =
      'import fcntl, os, sys; fd = os.open(sys.argv[1], os.O_RDWR); ' +
      'fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK); print("held", flush=True); sys.stdin.read()';
    const holder = execa('python3', ['-c', program, join(box, 'file')], { reject: false });
    try {
      await new Promise((resolve) => holder.stdout.once('data', resolve));
      expect(await tryRead()).toBe('refused: it cannot be opened (EAGAIN)');
    } finally {
      holder.kill('SIGKILL');
      await holder;
    }
    expect(await tryRead()).toBe('mine');
  });

  it('is never a host file while it is exchanged for a link to one', async () => {
    const link = join(box, 'link');
    symlinkSync('../../../host/file', link);
    expect(await whileExchanging(join(box, 'file'), link, race)).toEqual(
      new Set(['mine', 'refused']),
    );
  });

  it('is never a host file while its folder is exchanged for a link to one', async () => {
    const link = join(out, 'link');
    symlinkSync('../host', link);
    expect(await whileExchanging(join(out, 'outbox'), link, race)).toEqual(
      new Set(['mine', 'refused']),
    );
  });

  /** Collects the results of many tries. */
  async function race(): Promise<ReadonlySet<string>> {
    const before = readdirSync('/proc/self/fd').length;
    const outcomes = new Set<string>();
    for (let i = 0; i < opensInRace; i += 1) outcomes.add((await tryRead()).replace(/:.*/, ''));
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
    return outcomes;
  }

  describe('where /proc is missing', () => {
    const demand = { isOwn: true, descriptorsDir: '/nowhere/fd' };

    it('is refused for that reason', async () => {
      expect(await tryRead(filePath, demand)).toBe(`refused: ${noProcReason}`);
    });

    it('is read where it lies in the folder itself, and nothing else is', async () => {
      writeFileSync(join(out, 'heartbeat'), 'beat');
      symlinkSync('heartbeat', join(out, 'link'));
      expect(await read(['heartbeat'], demand)).toBe('beat');
      expect(await tryRead(['link'], demand)).toBe('refused: it is a link');
    });
  });

  it('lies in a folder whose path stays the same folder while others take its place', async () => {
    const seen = await withConfinedFolder(out, ['outbox'], ({ path, isInPlace }) => {
      rmSync(join(out, 'outbox'), { recursive: true });
      symlinkSync('../host', join(out, 'outbox'));
      expect(isInPlace()).toBe(true);
      return Promise.resolve(readdirSync(path));
    });
    expect(seen).toEqual([]);
    await expect(
      withConfinedFolder(out, ['outbox'], () => Promise.resolve()),
    ).rejects.toMatchObject({ code: 'file_refused' });
  });
});
