import { pino } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';
export type LogFields = Readonly<Record<string, unknown>>;

/** Facts first, then a constant lower-case message. Never message text or secrets. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: LogFields): Logger;
}

/** Takes the lines: anything with a write, one JSON line each. */
export interface LogSink {
  write(line: string): void;
}

/** Writes one JSON object a line: `time` as ISO-8601, `level` as a word. */
export function createLogger(level: LogLevel, sink: LogSink, base: LogFields = {}): Logger {
  return pino(
    {
      level,
      base,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.err },
    },
    sink,
  );
}

export const silentLogger: Logger = createLogger('silent', { write: () => undefined });
