import { chmod, copyFile, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Attachment } from '../../shared/protocol/session-message.js';
import { inboxDir } from '../../shared/protocol/workspace.js';
import type { SessionFolders } from './session-folder.js';

/** A file that came with a message, in a temporary place. */
export interface ArrivedFile {
  readonly name: string;
  readonly path: string;
  readonly mimeType?: string;
}

/** Puts the files of inbound messages where the runner may read them. */
export class InboxFiles {
  readonly #folders: SessionFolders;

  constructor(folders: SessionFolders) {
    this.#folders = folders;
  }

  /** Copies into in/inbox/<message id>/. Doing it twice gives the same files. */
  async take(
    sessionId: string,
    messageId: string,
    files: readonly ArrivedFile[],
  ): Promise<readonly Attachment[]> {
    if (files.length === 0) return [];
    const dir = inboxDir(this.#folders.inDir(sessionId), messageId);
    await mkdir(dir, { recursive: true, mode: 0o755 });
    const attachments: Attachment[] = [];
    for (const [index, file] of files.entries()) {
      const name = inboxFileName(index, file.name);
      const target = join(dir, name);
      await copyFile(file.path, target);
      // A copy has the mode of its source, and a channel may keep what arrives for itself.
      await chmod(target, 0o644);
      const { size } = await stat(target);
      attachments.push({
        name: file.name,
        file: name,
        sizeBytes: size,
        ...(file.mimeType === undefined ? {} : { mimeType: file.mimeType }),
      });
    }
    return attachments;
  }
}

/** Numbered, so that equal names do not meet; only characters that no shell or file system minds. */
function inboxFileName(index: number, name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9._-]+/g, '_').replace(/^\.+/, '');
  return `${index + 1}-${plain.slice(-100) || 'file'}`;
}
