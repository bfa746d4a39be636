import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TempHome } from '../../test/fakes/temp-home.js';
import { InboxFiles } from './inbox-files.js';

describe('the files of inbound messages', () => {
  let home: TempHome;
  let files: InboxFiles;
  let upload: string;

  beforeEach(() => {
    home = new TempHome();
    files = new InboxFiles(home.folders);
    upload = join(home.root, 'upload');
    writeFileSync(upload, 'content');
  });

  afterEach(() => {
    home[Symbol.dispose]();
  });

  async function nameOf(name: string): Promise<string> {
    const [attachment] = await files.take('s-1', 'm-1', [{ name, path: upload }]);
    return attachment?.file ?? '';
  }

  it.each([
    ['photo.jpg', '1-photo.jpg'],
    ['../../../etc/passwd', '1-_.._.._etc_passwd'],
    ['..', '1-file'],
    ['', '1-file'],
    ['.bashrc', '1-bashrc'],
    ['a b\tc\n;rm -rf $HOME.txt', '1-a_b_c_rm_-rf_HOME.txt'],
    ['Übersicht 2026.pdf', '1-_bersicht_2026.pdf'],
    ['null\0byte', '1-null_byte'],
    ['-rf', '1--rf'],
  ])('named %j lie there as %s', async (name, file) => {
    expect(await nameOf(name)).toBe(file);
    const dir = join(home.folders.inDir('s-1'), 'inbox', 'm-1');
    expect(readdirSync(dir)).toEqual([file]);
  });

  it('keep the end of a long name, with its extension', async () => {
    const file = await nameOf(`${'x'.repeat(400)}.tar.gz`);
    expect(file).toHaveLength(102);
    expect(file.endsWith('.tar.gz')).toBe(true);
  });

  it('do not meet when they are named alike, and are the same when taken again', async () => {
    const other = join(home.root, 'other');
    writeFileSync(other, 'other content');
    const arrived = [
      { name: 'a.txt', path: upload },
      { name: 'a.txt', path: other, mimeType: 'text/plain' },
    ];
    const first = await files.take('s-1', 'm-1', arrived);
    expect(await files.take('s-1', 'm-1', arrived)).toEqual(first);
    expect(first).toEqual([
      { name: 'a.txt', file: '1-a.txt', sizeBytes: 7 },
      { name: 'a.txt', file: '2-a.txt', sizeBytes: 13, mimeType: 'text/plain' },
    ]);
    const path = join(home.folders.inDir('s-1'), 'inbox', 'm-1', '2-a.txt');
    expect(readFileSync(path, 'utf8')).toBe('other content');
  });

  it('are copies: what the platform’s file becomes later changes nothing', async () => {
    const link = join(home.root, 'link');
    symlinkSync(upload, link);
    await files.take('s-1', 'm-1', [{ name: 'a', path: link }]);
    writeFileSync(upload, 'changed');
    const path = join(home.folders.inDir('s-1'), 'inbox', 'm-1', '1-a');
    expect(readFileSync(path, 'utf8')).toBe('content');
  });

  it('that are gone refuse the message', async () => {
    const gone = [{ name: 'a', path: join(home.root, 'gone') }];
    await expect(files.take('s-1', 'm-1', gone)).rejects.toThrow();
  });

  it('leave no folder where there are none', async () => {
    expect(await files.take('s-1', 'm-1', [])).toEqual([]);
    expect(() => readdirSync(home.folders.inDir('s-1'))).toThrow();
  });
});
