/**
 * Decides on a send whose outcome is not known, where a repeat would show: sent again and marked, or held for the
 * operator.
 */
export interface UnknownSendPolicy {
  readonly otherwise: 'repeat' | 'hold';
  readonly byChannel: ReadonlyMap<string, 'repeat' | 'hold'>;
}

/** `hold`, `repeat`, or by channel: `repeat,slack=hold`. */
export function readUnknownSends(text: string): UnknownSendPolicy {
  const parts = text.split(',').map((part) => part.split('=') as [string, string?]);
  const choice = (word: string | undefined): 'repeat' | 'hold' =>
    word === 'hold' ? 'hold' : 'repeat';
  return {
    otherwise: choice(parts.findLast(([, value]) => value === undefined)?.[0]),
    byChannel: new Map(
      parts.flatMap(([type, value]) => (value === undefined ? [] : [[type, choice(value)]])),
    ),
  };
}
