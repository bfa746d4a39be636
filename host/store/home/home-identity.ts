/** Tells a home that was moved from one that was copied: a folder keeps its inode when it is renamed, a copy has another. */
import { statSync } from 'node:fs';
import { z } from 'zod';

/**
 * The numbers by which the file system knows a folder. They are decimal numbers as text: they exceed what JSON numbers
 * hold.
 */
export const folderIdentitySchema = z.object({
  device: z.string(),
  inode: z.string(),
  /** When it was made, in nanoseconds since the epoch; null where the file system does not tell. */
  born: z.string().nullable(),
});

export type FolderIdentity = z.infer<typeof folderIdentitySchema>;

/** Follows links. Throws what stat throws. */
export function identifyFolder(path: string): FolderIdentity {
  const { dev, ino, birthtimeNs, ctimeNs } = statSync(path, { bigint: true });
  // A file system without birth times shows zero, or the time of the last change in its place (nodejs.org/api/fs.html).
  const isBirthKnown = birthtimeNs > 0n && birthtimeNs !== ctimeNs;
  return {
    device: String(dev),
    inode: String(ino),
    born: isBirthKnown ? String(birthtimeNs) : null,
  };
}

export interface PlacedFolder extends FolderIdentity {
  /** Its real path. */
  readonly path: string;
}

/**
 * Whether both are one folder. A folder of another disk may have the same inode number (a volume's top always has), so
 * that birth times count where they are known. Device numbers are given anew at a mount: where everything else
 * agrees, path and birth time included, another number is no other folder.
 */
export function isSameFolder(before: PlacedFolder, now: PlacedFolder): boolean {
  if (before.inode !== now.inode) return false;
  const areBirthsKnown = before.born !== null && now.born !== null;
  if (areBirthsKnown && before.born !== now.born) return false;
  return before.device === now.device || (areBirthsKnown && before.path === now.path);
}
