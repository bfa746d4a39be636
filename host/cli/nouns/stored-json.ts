/** A JSON column for --json: as a value; a row that was edited by hand may hold anything, and is shown as it is. */
export function fromStoredJson(text: string | null): unknown {
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
