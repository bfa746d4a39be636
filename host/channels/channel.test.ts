import { FakeChannel } from '../../test/fakes/fake-channel.js';
import { channelContract, type ChannelHarness } from '../../test/contracts/channel-contract.js';

// The fake that other tests lean on keeps the same contract as the real channels.
channelContract('fake', () => {
  const channel = new FakeChannel();
  for (const chat of ['chat', 'other', 'broken', 'healthy', 'nobody-here']) channel.leave(chat);
  const receivedIn = (platformId: string): readonly string[] =>
    channel.sent
      .filter((event) => event.address.platformId === platformId)
      .map(({ chat }) => (chat.operation === 'post' ? chat.text : chat.operation));
  const harness: ChannelHarness = {
    id: channel.id,
    channel,
    async write(platformId, { id, text }) {
      const answer = await channel.receive({ text, platformMessageId: id }, platformId);
      if (answer.kind === 'not-taken' || answer.outcome.kind === 'refused') {
        return { kind: 'not-acknowledged' };
      }
      const { kind, messageId } = answer.outcome;
      return { kind: 'acknowledged', messageId, isDuplicate: kind === 'duplicate' };
    },
    join(platformId) {
      channel.listen(platformId);
      return Promise.resolve({
        get received() {
          return receivedIn(platformId);
        },
        break() {
          channel.leave(platformId);
          return Promise.resolve();
        },
      });
    },
    sendGarbage: () => Promise.resolve(),
    async isReachable() {
      return (await channel.receive({ text: 'anybody?' })).kind === 'acknowledged';
    },
    close: () => Promise.resolve(),
  };
  return Promise.resolve(harness);
});
