import { z } from 'zod';

/** A line of the engine's answer to a build; a pull inside it tells its `status`. */
const newsSchema = z.object({
  stream: z.string().optional(),
  status: z.string().optional(),
  id: z.string().optional(),
  progress: z.string().optional(),
  error: z.string().optional(),
});

const tailLines = 20;
/** Ids of layers and containers that come and go. */
const noise = /^\s*---> |^Removing intermediate container /;

/** Says what a step of the build is to people who only wait for it; undefined for the lines between. */
export function describeBuildStep(line: string): string | undefined {
  const [, step, steps] = /^Step (\d+)\/(\d+)\b/i.exec(line) ?? [];
  if (step === undefined || steps === undefined) return undefined;
  return `Building the agent image, once: step ${step} of ${steps}`;
}

/** Turns what the engine says during a build into lines for a person, and keeps those of the step it is in. */
export class BuildProgress {
  readonly #onLine: (line: string) => void;
  #lines: string[] = [];
  #rest = '';
  #error: string | undefined;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** The reason why the build failed, in the engine's words. */
  get error(): string | undefined {
    return this.#error;
  }

  take(news: unknown): void {
    const parsed = newsSchema.safeParse(news);
    if (!parsed.success) return;
    const { stream, status, id, progress, error } = parsed.data;
    if (stream !== undefined) this.#takeOutput(stream);
    // A bar that moves is no line; that something began or ended is.
    if (status !== undefined && progress === undefined) {
      this.#tell(id === undefined ? status : `${id}: ${status}`);
    }
    this.#error ??= error;
  }

  /** The last lines of the step that ran last. */
  tail(): string {
    return [...this.#lines, this.#rest.trimEnd()]
      .filter((line) => line !== '')
      .slice(-tailLines)
      .join('\n');
  }

  #takeOutput(text: string): void {
    const lines = (this.#rest + text).split(/\r?\n|\r/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#tell(line.trimEnd());
  }

  #tell(line: string): void {
    // Colours and cursor moves of the programs in the build.
    // eslint-disable-next-line no-control-regex
    const plain = line.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '');
    if (plain === '' || noise.test(plain)) return;
    if (/^Step \d+/i.test(plain)) this.#lines = [];
    this.#lines.push(plain);
    if (this.#lines.length > 4 * tailLines) this.#lines.splice(0, 2 * tailLines);
    this.#onLine(plain);
  }
}
