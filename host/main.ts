#!/usr/bin/env node
/** The process edge: arguments, signals, the exit code. */
import { fileURLToPath } from 'node:url';
import { runProgram } from './cli/program.js';

/**
 * Modes are the program's decision, not the shell's or the service's: agents must read what is made for them, and what is
 * private is made so by name and lies below data/, which is closed to others.
 */
const umask = 0o022;

/** A single ctrl-c may come twice: from the terminal, and from the npx between. */
const sameRequestMs = 500;

process.umask(umask);

process.exit(
  await runProgram({
    argv: process.argv.slice(2),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    self: {
      command: process.execPath,
      args: [...process.execArgv, fileURLToPath(import.meta.url)],
    },
    onStopRequest: (listen) => {
      let firstAt: number | undefined;
      const take = (containers: Parameters<typeof listen>[0]) => (): void => {
        const now = performance.now();
        if (firstAt !== undefined && now - firstAt > sameRequestMs) process.exit(1);
        if (firstAt === undefined) listen(containers);
        firstAt ??= now;
      };
      process.on('SIGINT', take('stop'));
      process.on('SIGTERM', take('stop'));
      // The terminal that it was started in is gone.
      process.on('SIGHUP', take('stop'));
      process.on('SIGUSR2', take('keep'));
    },
    onCrash: (listen) => {
      process.on('uncaughtException', listen);
      process.on('unhandledRejection', listen);
    },
  }),
);
