import { z } from 'zod';
import { decideWiring } from '../routing/decide-wiring.js';
import { isoAt } from '../../shared/base/clock.js';
import { BerthError } from '../../shared/base/errors.js';
import { withdrawQuestions } from '../sessions/question-ends.js';
import { onDatabase } from './operation.js';
import { getMessagingGroup, getWiring } from './references.js';

/** The decision of one wiring about a message. */
export interface WiringVerdict {
  readonly wiring: string;
  /** The folder of the agent group. */
  readonly agentGroup: string;
  /** `engaged`: it answers. `context`: it reads it with its next turn. */
  readonly verdict: 'engaged' | 'context' | 'refused';
  readonly reason: string | null;
}

export const deleteWiring = onDatabase({
  name: 'wirings.delete',
  summary: 'Ends that an agent group answers a chat; questions that it asked there are withdrawn.',
  input: z.object({ wiring: z.string() }),
  effect: 'writes',
  run: ({ store, clock }, { wiring: reference }) => {
    const { id, messagingGroupId, agentGroupId } = getWiring(store, reference);
    store.wirings.delete(id);
    const chat = store.messagingGroups.find(messagingGroupId);
    if (chat !== undefined) withdrawQuestions(store, { ...chat, agentGroupId }, isoAt(clock.now()));
    const isItsAgents = (sessionId: string): boolean =>
      store.sessions.find(sessionId)?.agentGroupId === agentGroupId;
    /** They go on. */
    const tasks = store.tasks
      .list()
      .filter((task) => task.messagingGroupId === messagingGroupId && isItsAgents(task.sessionId))
      .map((task) => task.id);
    return { deleted: id, tasks };
  },
});

export const testWirings = onDatabase({
  name: 'wirings.test',
  summary: 'Says which agents would take a message, and why; nothing is sent.',
  input: z.object({
    /** By id, or channel:id. */
    chat: z.string(),
    text: z.string(),
    sender: z.string().default('somebody'),
    thread: z.string().nullable().default(null),
    /** Whether the platform says that the agent was addressed. */
    mention: z.boolean().default(false),
    /** Names that are written with an `@` in it. */
    mentionedNames: z.array(z.string()).default([]),
  }),
  effect: 'reads',
  run: ({ store }, input): readonly WiringVerdict[] => {
    const chat = getMessagingGroup(store, input.chat);
    const wirings = store.wirings.listForMessagingGroup(chat.id);
    if (wirings.length === 0) {
      throw new BerthError('not_found', `No agent is wired to ${input.chat}.`, {
        next: `Wire one with \`berth wirings create ${input.chat} AGENT-GROUP\`.`,
      });
    }
    return wirings.map((wiring) => {
      const decision = decideWiring(store, wiring, chat, {
        text: input.text,
        senderId: input.sender,
        threadId: input.thread,
        isMention: input.mention,
        mentionedNames: input.mentionedNames,
        isGroup: chat.isGroup,
      });
      const group = store.agentGroups.find(wiring.agentGroupId);
      return {
        wiring: wiring.id,
        agentGroup: group?.folder ?? wiring.agentGroupId,
        verdict: decision.kind === 'unusable' ? 'refused' : decision.kind,
        reason: 'reason' in decision ? decision.reason : null,
      };
    });
  },
});
