/**
 * Reads one JSON object a line, as the engine writes its events and its build progress.
 * A line that does not parse is skipped: it is never more than news.
 */
export async function* readJsonLines(stream: AsyncIterable<Buffer>): AsyncGenerator {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines.flatMap(parseLine);
  }
  yield* parseLine(rest);
}

function parseLine(line: string): unknown[] {
  try {
    return line.trim() === '' ? [] : [JSON.parse(line) as unknown];
  } catch {
    return [];
  }
}
