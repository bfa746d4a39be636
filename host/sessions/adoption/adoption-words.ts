/** Says what adoption has to tell the one who runs the daemon, for `berth status`. */

export interface Refused {
  readonly sessionId: string;
  readonly reason: string;
  readonly next: string;
}

export interface AdoptionReport {
  /** Sessions that go on. */
  readonly adopted: readonly string[];
  /** Sessions that are kept as history, because their conversation has another one. */
  readonly closed: readonly string[];
  readonly refused: readonly Refused[];
  /** `channel:id` of chats that no agent is wired to any more, with the folder of the agent that was. */
  readonly unwired: readonly string[];
}

const named = 5;

export function describeAdoption(report: AdoptionReport): readonly string[] {
  const { adopted, closed, refused, unwired } = report;
  const sentences: string[] = [];
  if (adopted.length > 0) {
    sentences.push(
      `Sessions that central.db did not know, as after a restore, were adopted from their folders and go on: ${list(adopted)}.`,
    );
  }
  if (closed.length > 0) {
    sentences.push(
      `Sessions that central.db did not know were adopted as closed, because their conversations have another session: ${list(closed)}. What was planned in them is planned in the other one; what waited in them is in \`berth dead-letters list\`.`,
    );
  }
  for (const { sessionId, reason, next } of refused.slice(0, named)) {
    sentences.push(
      `The folder data/sessions/${sessionId} is of a session that central.db does not know, and was not adopted: ${reason} ${next}`,
    );
  }
  if (refused.length > named) {
    sentences.push(`${refused.length - named} more folders were not adopted: see \`berth logs\`.`);
  }
  if (unwired.length > 0) {
    sentences.push(
      `Chats of adopted sessions are wired to no agent, so that they take no new messages: ${list(unwired)}. Wire them with \`berth wirings create\`.`,
    );
  }
  return sentences;
}

export function describeFolderless(sessionIds: readonly string[]): string {
  return `Sessions whose folders in data/sessions are gone begin afresh with their next message: ${list(sessionIds)}. Stop the daemon and put the folders back if there is a copy.`;
}

function list(names: readonly string[]): string {
  const more = names.length - named;
  return `${names.slice(0, named).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
