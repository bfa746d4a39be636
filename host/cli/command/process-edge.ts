import type { OutputStream } from '../output/terminal-output.js';

/**
 * The things that main.ts hands down. Nothing is caught before somebody listens: until then a signal ends the process.
 */
export interface ProcessEdge {
  /** The arguments after the program's name. */
  readonly argv: readonly string[];
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** The command that runs this program once more. */
  readonly self: SelfCommand;
  /** Called once, at the first request to end; the second one ends the process at once. */
  onStopRequest(listen: (containers: 'stop' | 'keep') => void): void;
  /** Called with what nobody caught. The process goes on until it is ended. */
  onCrash(listen: (error: unknown) => void): void;
}

export interface SelfCommand {
  readonly command: string;
  readonly args: readonly string[];
}
