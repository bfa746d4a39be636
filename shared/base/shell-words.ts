/** A word as a shell takes it for itself; plain paths stay as they are. For commands that a person is told to type. */
export function shellWord(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
