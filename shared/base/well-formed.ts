/** Text that every file, wire and program can hold: SQLite's UTF-8 has no half characters, and C strings end at NUL. */

/** Each half of a surrogate pair, and each NUL, becomes U+FFFD; the rest stays as it is. */
export function toWellFormed(text: string): string {
  return text.replace(unstorable, '\ufffd');
}

/** Why an id cannot be stored so that it comes back the same: the end of a sentence; undefined where it can. */
export function findStorageProblem(id: string): string | undefined {
  if (/\p{Surrogate}/u.test(id)) return 'holds half a character (an unpaired surrogate)';
  return id.includes('\0') ? 'holds a NUL character' : undefined;
}

const unstorable = /[\p{Surrogate}\0]/gu;
