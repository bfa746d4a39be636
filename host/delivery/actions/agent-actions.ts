/** Agents ask each other. */
import { z } from 'zod';
import { BerthError } from '../../../shared/base/errors.js';
import { action } from './action.js';

export const sendToAgent = action({
  name: 'send_to_agent',
  summary: 'Asks another agent; its answer comes as a message.',
  parameters: z.strictObject({
    /** The name of a destination that is an agent. */
    to: z.string(),
    text: z.string().min(1).max(200_000),
    /** Names of files below out/outbox/<row id>/. */
    files: z.array(z.string()).default([]),
  }),
  isQuestion: false,
  run: async ({ store, agents, outboxFiles }, { to, text, files: names }, request) => {
    const { session, rowId, inReplyTo, note } = request;
    const destinations = store.destinations.list(session.agentGroupId);
    const agentGroupId = destinations.find(({ name }) => name === to)?.agentGroupId ?? undefined;
    if (agentGroupId === undefined) {
      const known = destinations.filter(({ type }) => type === 'agent').map(({ name }) => name);
      throw new BerthError('not_found', `No destination ${JSON.stringify(to)} is an agent.`, {
        next: `The agents are: ${known.join(', ') || 'none'}.`,
      });
    }
    const files = await outboxFiles.take(session.id, rowId, names);
    const outcome = { isDone: true, text: `Sent to ${to}. Its answer comes as a message.` };
    const message = { messageOutId: rowId, inReplyTo, text, files };
    await agents.ask(session, agentGroupId, message, () => {
      note(outcome);
    });
    return outcome;
  },
});
