/** Keys of session_state. The host reads what is noted about messages; the values came from a container. */

/** Why a message failed, for a person; at most maxReasonLength characters are kept. */
export function failureKey(messageId: string): string {
  return `failure:${messageId}`;
}

/**
 * messages_in.tries as it was when the runner last claimed or failed the message; missing means 0.
 * An ack whose tries are below the row's belongs to an earlier try, and the row may be claimed again.
 */
export function triesKey(messageId: string): string {
  return `tries:${messageId}`;
}

/** A provider's own note. The host reads none of them. */
export function agentStateKey(key: string): string {
  return `agent:${key}`;
}

/** The message that such a key is about; undefined where it is another key. */
export function messageOfStateKey(key: string): string | undefined {
  return /^(?:failure|tries):(.*)$/s.exec(key)?.[1];
}

/** In characters. */
export const maxReasonLength = 500;
