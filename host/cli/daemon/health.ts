/** How Berth is, in one word, for programs that watch it. The exit codes are those of monitoring plugins. */

/** Source: monitoring-plugins.org/doc/guidelines.html, "Plugin Return Codes". */
export const healthCodes = { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 } as const;

export interface Health {
  readonly level: keyof typeof healthCodes;
  /** The reasons why something is wrong, the worst first; empty where nothing is. */
  readonly reasons: readonly string[];
}

export interface HealthFacts {
  readonly running: boolean;
  /** Undefined where the daemon could not be asked. */
  readonly phase: 'starting' | 'ready' | 'stopping' | undefined;
  /** Undefined where nobody listens. */
  readonly answers: boolean | undefined;
  /** Problems that keep messages from being answered. */
  readonly problems: readonly string[];
  readonly deadLetters: number;
  /** Remarks that a person should read. */
  readonly remarks: readonly string[];
}

export function decideHealth(facts: HealthFacts): Health {
  const { running, phase, answers, problems, deadLetters, remarks } = facts;
  if (!running) return critical('the daemon does not run');
  if (phase === undefined)
    return { level: 'UNKNOWN', reasons: ['the daemon says nothing of itself'] };
  if (answers === false) return critical('the daemon does not answer');
  if (problems.length > 0) return { level: 'CRITICAL', reasons: problems };
  const letters = deadLetters === 1 ? 'one dead letter' : `${deadLetters} dead letters`;
  const warnings = [
    ...(phase === 'ready' ? [] : [`the daemon is ${phase}`]),
    ...(deadLetters === 0 ? [] : [letters]),
    ...remarks,
  ];
  return { level: warnings.length === 0 ? 'OK' : 'WARNING', reasons: warnings };
}

function critical(reason: string): Health {
  return { level: 'CRITICAL', reasons: [reason] };
}
