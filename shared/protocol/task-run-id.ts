/** The id of the messages_in row of one run of a task: the same run gets the same id, so that it is there once. */
export function runIdFor(taskId: string, scheduledMs: number): string {
  return `${taskId}-${scheduledMs.toString(36)}`;
}

/** The task that a row is a run of. `timestamp`: ISO-8601, when the run is scheduled. */
export function taskIdOf({
  id,
  timestamp,
}: {
  readonly id: string;
  readonly timestamp: string;
}): string {
  const suffix = runIdFor('', Date.parse(timestamp));
  return id.endsWith(suffix) ? id.slice(0, -suffix.length) : id;
}
