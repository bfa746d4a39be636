import {
  existsSync,
  mkdirSync,
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
import { TempHome } from '../../test/fakes/temp-home.js';
import { OutboxFiles } from './outbox-files.js';

const maxFileBytes = 1_000;

describe('files that a container wants to send', () => {
  let home: TempHome;
  let files: OutboxFiles;
  let outbox: string;
  let secret: string;

  beforeEach(() => {
    home = new TempHome();
    files = new OutboxFiles({
      outDir: (sessionId) => home.folders.outDir(sessionId),
      sentDir: (sessionId) => join(home.folders.folderOf(sessionId), 'sent'),
      maxFileBytes,
    });
    outbox = join(home.folders.outDir('s-1'), 'outbox', 'o-1');
    mkdirSync(outbox, { recursive: true });
    secret = join(home.root, 'secret');
    writeFileSync(secret, 'the host’s own');
  });

  afterEach(() => {
    home[Symbol.dispose]();
  });

  function take(...names: string[]): ReturnType<OutboxFiles['take']> {
    return files.take('s-1', 'o-1', names);
  }

  async function expectRefused(name: string, messageId = 'o-1'): Promise<void> {
    await expect(files.take('s-1', messageId, [name])).rejects.toMatchObject({
      code: 'file_refused',
    });
    expect(existsSync(join(home.folders.folderOf('s-1'), 'sent', messageId, name))).toBe(false);
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
    await expectRefused('long');
    writeFileSync(join(outbox, 'sparse'), '');
    truncateSync(join(outbox, 'sparse'), 2 ** 40);
    await expectRefused('sparse');
  });

  it.each(['', '.', '..', '../o-2/file', 'a/b', '/etc/hostname', './file', 'file/'])(
    'are not looked for at %j',
    async (name) => {
      mkdirSync(join(outbox, '..', 'o-2'));
      writeFileSync(join(outbox, '..', 'o-2', 'file'), '');
      writeFileSync(join(outbox, 'file'), '');
      await expect(take(name)).rejects.toMatchObject({ code: 'file_refused' });
    },
  );

  it.each(['missing', 'null\0byte', 'x'.repeat(300)])('are refused as %j', expectRefusedName);

  async function expectRefusedName(name: string): Promise<void> {
    await expect(take(name)).rejects.toMatchObject({ code: 'file_refused' });
  }

  it.each(['', '..', '../o-1', 'a/b', '.hidden', `o${'x'.repeat(200)}`])(
    'are not looked for under the message id %j',
    async (messageId) => {
      writeFileSync(join(outbox, 'file'), '');
      await expect(files.take('s-1', messageId, ['file'])).rejects.toMatchObject({
        code: 'file_refused',
      });
    },
  );

  it('are not followed through a link', async () => {
    symlinkSync(secret, join(outbox, 'absolute'));
    symlinkSync('../../../../secret', join(outbox, 'relative'));
    symlinkSync(join(outbox, 'nowhere'), join(outbox, 'dangling'));
    for (const name of ['absolute', 'relative', 'dangling']) await expectRefused(name);
  });

  it('are not looked for in a folder behind a link', async () => {
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
