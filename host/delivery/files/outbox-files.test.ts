import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { execa } from 'execa';
import { TempHome } from '../../../test/fakes/temp-home.js';
import { defaultFileLimits } from './file-budget.js';
import { OutboxFiles, type OutboxFilesDeps } from './outbox-files.js';

const maxFileBytes = 1_000;
const limits = { ...defaultFileLimits, fileBytes: maxFileBytes, messageBytes: 3_000 };

describe('files that a container wants to send', () => {
  let home: TempHome;
  let files: OutboxFiles;
  let outbox: string;
  let secret: string;

  beforeEach(() => {
    home = new TempHome();
    files = makeFiles();
    outbox = join(home.folders.outDir('s-1'), 'outbox', 'o-1');
    mkdirSync(outbox, { recursive: true });
    secret = join(home.root, 'secret');
    writeFileSync(secret, 'the host’s own');
  });

  afterEach(() => {
    home[Symbol.dispose]();
  });

  function makeFiles(more: Partial<OutboxFilesDeps> = {}): OutboxFiles {
    return new OutboxFiles({
      outDir: (sessionId) => home.folders.outDir(sessionId),
      sentDir: (sessionId) => join(home.folders.folderOf(sessionId), 'sent'),
      fileLimits: limits,
      log: home.log,
      ...more,
    });
  }

  function take(...names: string[]): ReturnType<OutboxFiles['take']> {
    return files.take('s-1', 'o-1', names);
  }

  /** All copies and drafts of the session. */
  function listSent(): readonly string[] {
    const sent = join(home.folders.folderOf('s-1'), 'sent');
    if (!existsSync(sent)) return [];
    return readdirSync(sent, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  }

  /** Refused with the words that tell nothing of what lies there. */
  async function expectRefused(name: string, messageId = 'o-1'): Promise<void> {
    await expect(files.take('s-1', messageId, [name])).rejects.toMatchObject({
      code: 'file_refused',
      message: `The file ${JSON.stringify(name)} was not sent: what is sent must be an ordinary file of the agent’s own, named plainly, in the outbox folder of its message.`,
    });
    expect(listSent()).toEqual([]);
  }

  async function messageOf(refused: Promise<unknown>): Promise<string> {
    const error: unknown = await refused.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'file_refused' });
    return (error as Error).message;
  }

  it('are copied, so that the container cannot change them any more', async () => {
    writeFileSync(join(outbox, 'a report.pdf'), 'the report');
    writeFileSync(join(outbox, 'b'), '');
    const [report, empty] = await take('a report.pdf', 'b');
    writeFileSync(join(outbox, 'a report.pdf'), 'something else');
    rmSync(join(outbox, 'b'));
    expect(report?.name).toBe('a report.pdf');
    expect(readFileSync(report!.path, 'utf8')).toBe('the report');
    expect(statSync(report!.path).mode & 0o777).toBe(0o600);
    expect(statSync(empty!.path).size).toBe(0);
    expect(report?.path.startsWith(home.folders.outDir('s-1'))).toBe(false);
  });

  it('may be just as long as allowed, and no longer', async () => {
    writeFileSync(join(outbox, 'fits'), 'x'.repeat(maxFileBytes));
    const [file] = await take('fits');
    expect(statSync(file!.path).size).toBe(maxFileBytes);
    writeFileSync(join(outbox, 'long'), 'x'.repeat(maxFileBytes + 1));
    writeFileSync(join(outbox, 'sparse'), '');
    truncateSync(join(outbox, 'sparse'), 2 ** 40);
    for (const name of ['long', 'sparse']) {
      expect(await messageOf(take(name))).toBe(
        `The file "${name}" was not sent: it is longer than 1000 bytes.`,
      );
    }
    expect(listSent()).toEqual(['fits']);
  });

  it('may be just as long together as allowed, counted by what would be written', async () => {
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) {
      writeFileSync(join(outbox, name), '');
      truncateSync(join(outbox, name), maxFileBytes);
    }
    expect(await messageOf(take(...names))).toBe(
      'The files of this message were not sent: together they are longer than 3000 bytes. Send fewer at once.',
    );
    expect(listSent()).toEqual([]);
    await take('a', 'b', 'c');
    expect(listSent()).toEqual(['a', 'b', 'c']);
  });

  it('by the dozen and full of holes do not make the host write', async () => {
    files = makeFiles({ fileLimits: defaultFileLimits });
    const names = Array.from({ length: 12 }, (_, index) => `sparse-${index}`);
    for (const name of names) {
      writeFileSync(join(outbox, name), '');
      truncateSync(join(outbox, name), 49 * 1024 ** 2);
    }
    expect(await messageOf(take(...names))).toContain('longer than 250 MiB');
    expect(listSent()).toEqual([]);
  });

  it('are copied once where they are named twice', async () => {
    writeFileSync(join(outbox, 'twice'), 'x'.repeat(maxFileBytes));
    const taken = await take('twice', 'twice', 'twice', 'twice');
    expect(taken.map(({ name }) => name)).toEqual(['twice', 'twice', 'twice', 'twice']);
    expect(listSent()).toEqual(['twice']);
  });

  it('are not copied again by the next try, unless they have changed', async () => {
    writeFileSync(join(outbox, 'file'), 'first');
    const [first] = await take('file');
    const { ino, mtimeMs } = statSync(first!.path);
    expect(Math.abs(mtimeMs - statSync(join(outbox, 'file')).mtimeMs)).toBeLessThan(1);
    await take('file');
    expect(statSync(first!.path).ino).toBe(ino);
    writeFileSync(join(outbox, 'file'), 'second');
    await take('file');
    expect(readFileSync(first!.path, 'utf8')).toBe('second');
    expect(listSent()).toEqual(['file']);
  });

  it('of one session are limited by what is kept of them', async () => {
    // Three small files: each counts as 64 KiB.
    files = makeFiles({ fileLimits: { ...limits, sessionBytes: 3 * 64 * 1024 } });
    for (const name of ['a', 'b', 'c', 'd']) writeFileSync(join(outbox, name), name);
    await take('a', 'b', 'c');
    await take('a', 'b', 'c');
    expect(await messageOf(take('d'))).toContain('takes up');
    expect(listSent()).toEqual(['a', 'b', 'c']);
    await files.take('s-2', 'o-1', []);
    // A daemon that has just started counts the same; what retention has taken away is room again.
    files = makeFiles({ fileLimits: { ...limits, sessionBytes: 3 * 64 * 1024 } });
    expect(await messageOf(take('d'))).toContain('takes up');
    rmSync(join(home.folders.folderOf('s-1'), 'sent'), { recursive: true });
    files = makeFiles({ fileLimits: { ...limits, sessionBytes: 3 * 64 * 1024 } });
    await take('d');
    expect(listSent()).toEqual(['d']);
  });

  it('wait while the disk is nearly full', async () => {
    writeFileSync(join(outbox, 'file'), 'x');
    files = makeFiles({ fileLimits: { ...limits, freeShare: 1, freeBytes: Infinity } });
    await expect(take('file')).rejects.toMatchObject({ code: 'disk_full' });
    expect(listSent()).toEqual([]);
    files = makeFiles();
    await take('file');
    files = makeFiles({ fileLimits: { ...limits, freeShare: 1, freeBytes: Infinity } });
    // A file that is there already needs no room.
    expect(await take('file')).toHaveLength(1);
  });

  it('that grow while they are copied are copied as far as they were counted', async () => {
    files = makeFiles({ fileLimits: defaultFileLimits });
    const source = join(outbox, 'log');
    writeFileSync(source, 'x'.repeat(1_000_000));
    const writer = execa('sh', ['-c', `while :; do echo more >> "${source}"; done`], {
      reject: false,
    });
    try {
      const [copy] = await take('log');
      const { size } = statSync(copy!.path);
      expect(size).toBeGreaterThanOrEqual(1_000_000);
      await expect.poll(() => statSync(source).size).toBeGreaterThan(size);
    } finally {
      writer.kill('SIGKILL');
      await writer;
    }
  });

  it('are refused where /proc is missing, with what to do about it', async () => {
    writeFileSync(join(outbox, 'file'), 'x');
    files = makeFiles({ descriptorsDir: '/nowhere/fd' });
    const message = await messageOf(take('file'));
    expect(message).toContain('/proc is missing');
    expect(message).toContain('docs/operating.md');
    expect(readFileSync('docs/operating.md', 'utf8')).toContain('## Files that agents send');
  });

  it('are refused without telling why, which stands in the log', async () => {
    symlinkSync('/etc/hostname', join(outbox, 'there'));
    symlinkSync('/etc/no-such-file', join(outbox, 'not-there'));
    mkdirSync(join(outbox, 'folder'));
    const names = ['there', 'not-there', 'folder', 'missing'];
    const messages = [];
    for (const name of names) messages.push((await messageOf(take(name))).replace(name, '…'));
    expect(new Set(messages).size).toBe(1);
    expect(messages[0]).not.toContain(home.root);
    const reasons = home.logLines
      .map((line) => JSON.parse(line) as { msg: string; reason?: string; messageId?: string })
      .filter(({ msg }) => msg === 'file not copied')
      .map(({ reason }) => reason);
    expect(reasons).toEqual([
      'it is a link',
      'it is a link',
      'it is a folder',
      'it cannot be opened (ENOENT)',
    ]);
  });

  it('fail for the time being where the host cannot write, and say no path', async () => {
    writeFileSync(join(outbox, 'file'), 'x');
    mkdirSync(join(home.folders.folderOf('s-1'), 'sent', '.draft-o-1'), { recursive: true });
    await expect(take('file')).rejects.toMatchObject({
      code: 'io_failed',
      message: 'The file "file" cannot be copied now (EISDIR).',
    });
  });

  it('are named by the agent, and by their beginning where that is very long', async () => {
    const message = await messageOf(take('x'.repeat(100_000)));
    expect(message.length).toBeLessThan(500);
  });

  it.each(['', '.', '..', '../o-2/file', 'a/b', '/etc/hostname', './file', 'file/'])(
    'are not searched at %j',
    async (name) => {
      mkdirSync(join(outbox, '..', 'o-2'));
      writeFileSync(join(outbox, '..', 'o-2', 'file'), '');
      writeFileSync(join(outbox, 'file'), '');
      await expectRefused(name);
    },
  );

  it.each(['missing', 'null\0byte', 'half\ud83d', 'x'.repeat(256), 'é'.repeat(128)])(
    'are refused as %j',
    async (name) => {
      await expectRefused(name);
    },
  );

  it.each(['', '..', '../o-1', 'a/b', '.hidden', `o${'x'.repeat(200)}`])(
    'are not searched under the message id %j',
    async (messageId) => {
      writeFileSync(join(outbox, 'file'), '');
      await expectRefused('file', messageId);
    },
  );

  it('are not followed through a link', async () => {
    symlinkSync(secret, join(outbox, 'absolute'));
    symlinkSync('../../../../secret', join(outbox, 'relative'));
    symlinkSync(join(outbox, 'nowhere'), join(outbox, 'dangling'));
    for (const name of ['absolute', 'relative', 'dangling']) await expectRefused(name);
  });

  it('are not searched in a folder behind a link', async () => {
    const elsewhere = join(home.root, 'elsewhere');
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, 'file'), 'the host’s own');
    symlinkSync(elsewhere, join(home.folders.outDir('s-1'), 'outbox', 'o-2'));
    await expectRefused('file', 'o-2');
    mkdirSync(join(elsewhere, 'o-3'));
    writeFileSync(join(elsewhere, 'o-3', 'file'), 'the host’s own');
    rmSync(join(home.folders.outDir('s-1'), 'outbox'), { recursive: true });
    symlinkSync(elsewhere, join(home.folders.outDir('s-1'), 'outbox'));
    await expectRefused('file', 'o-3');
  });

  it('are no folders', async () => {
    mkdirSync(join(outbox, 'folder'));
    await expectRefused('folder');
  });

  it('are no pipes, also where nobody writes into them', async () => {
    await execa('/usr/bin/mkfifo', [join(outbox, 'pipe')]);
    await expectRefused('pipe');
  });

  it('are no sockets', async () => {
    const server = await new Promise<Server>((resolve) => {
      const listening = createServer().listen(join(outbox, 'socket'), () => {
        resolve(listening);
      });
    });
    await expectRefused('socket');
    await new Promise((resolve) => server.close(resolve));
  });

  it('are refused where there are too many for one message', async () => {
    writeFileSync(join(outbox, 'file'), 'x');
    const names = Array.from({ length: 10_000 }, () => 'file');
    await expect(take(...names)).rejects.toMatchObject({ code: 'file_refused' });
  });
});
