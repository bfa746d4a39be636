/** The numbers of the lines of an env file that are no setting, no comment and not empty. */
export function findStrayLines(text: string): readonly number[] {
  const lines = text.split('\n');
  const stray: number[] = [];
  for (let i = 0; i < lines.length; i += 1) {
    const line = lines[i] ?? '';
    if (line.trim() === '' || /^\s*#/.test(line)) continue;
    const setting = /^\s*(?:export\s+)?[\w.-]+\s*=\s*([^\r]*)/.exec(line);
    if (setting === null) stray.push(i + 1);
    else i += countContinued(setting[1] ?? '', lines.slice(i + 1));
  }
  return stray;
}

/** A value in quotes goes on until they are closed; where they never are, it ends with its line. */
function countContinued(value: string, rest: readonly string[]): number {
  const [quote = ''] = value;
  if (!['"', "'", '`'].includes(quote) || value.includes(quote, 1)) return 0;
  return rest.findIndex((line) => line.includes(quote)) + 1;
}
