import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { RecoverySetup } from '../../../test/fakes/recovery-setup.js';
import { Seeded } from '../../../test/faults/seeded.js';

const pageSize = 4_096;
/** The last one of user_version: one that is a little higher is a later version, and no damage. */
const versionByte = 63;

/**
 * Flips bytes where SQLite keeps its structure: the header of the file, and the head of each page. A byte of a value, or
 * of the list of cells, is anybody's guess: no checksum tells that it was another one.
 */
function flipStructure(path: string, random: Seeded): void {
  const bytes = readFileSync(path);
  const pages = bytes.length / pageSize;
  for (let flips = random.between(1, 6); flips > 0; flips -= 1) {
    const page = random.between(0, pages - 1) * pageSize;
    const at = page + random.between(0, page === 0 ? 107 : 7);
    if (at === versionByte) continue;
    bytes[at] = (bytes[at] ?? 0) ^ random.between(1, 255);
  }
  writeFileSync(path, bytes);
}

const roundCount = 12;

it('after bytes were flipped at random no message is lost without a word, and nothing is sent twice', async () => {
  const random = Seeded.forTest();
  for (let round = 0; round < roundCount; round += 1) await surviveFlips(random, round);
});

it('a seq that damage has made too high costs its message, and not the conversation', async () => {
  const random = new Seeded(1_677_408_503);
  for (let round = 0; round < roundCount; round += 1) await surviveFlips(random, round);
});

async function surviveFlips(random: Seeded, round: number): Promise<void> {
  using setup = new RecoverySetup();
  const path = random.between(0, 1) === 0 ? setup.inboundPath : setup.outboundPath;
  const ids = Array.from({ length: 24 }, (_, index) => `m-${index}`);
  await setup.take(...ids);
  const answered = ids.slice(0, 8);
  setup.runner.claim(...ids.slice(0, 16));
  for (const id of answered) {
    const content = JSON.stringify({ text: '.'.repeat(900) });
    setup.runner.say(`reply to ${id}`, { inReplyTo: id, content });
  }
  setup.runner.complete(...answered);
  if (random.between(0, 1) === 0) await setup.deliver();
  flipStructure(path, random);
  const isTaken = await setup.take('after').then(
    () => true,
    () => false,
  );
  for (let pass = 0; pass < 3; pass += 1) {
    await setup.deliver();
    await setup.delivery.loop.drain();
    await setup.end();
  }
  expect(setup.store.sessions.find(setup.session.id)?.status).toBe('active');
  await setup.checkAsRunner();
  await setup.deliver();
  const sent = setup.channel.sent.map(({ messageId }) => messageId);
  expect(new Set(sent).size).toBe(sent.length);
  // Answered: sent, or held as what may have been sent.
  const answers = [...sent, ...Object.keys(setup.outDeadLetters())];
  const open = setup
    .messagesIn(setup.session.id)
    .filter(({ status }) => status === 'pending')
    .map(({ id }) => id);
  const known = new Set([...open, ...setup.toldAbout()]);
  const vanished = ids.filter((id) => !known.has(id) && !answers.includes(`reply to ${id}`));
  const isAfterKept = !isTaken || known.has('after');
  // A reply that a damaged tree has hidden is gone; then the chat was told that one may be missing.
  const isTold = path === setup.outboundPath && setup.hasToldOfRepair();
  const isWellKept = vanished.every((id) => isTold && answered.includes(id));
  expect({ round, vanished, isWellKept, isAfterKept }).toMatchObject({
    isWellKept: true,
    isAfterKept: true,
  });
}
