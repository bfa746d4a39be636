import { copyFileSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BerthHome } from '../fakes/berth-home.js';

it('answers malformed and oversized lines with an error and keeps the connection', async () => {
  await using home = new BerthHome('process');
  await home.start();
  await using wire = await home.wire();
  wire.sendRaw('this is no JSON\n');
  wire.sendRaw('{"type":"message"}\n');
  wire.sendRaw(`{"type":"message","platformId":"local","text":"${'x'.repeat(2_000_000)}"}\n`);
  wire.say('still here');
  await wire.until(() => wire.replies().length === 1);
  expect(wire.of('error').map((line) => line['code'])).toEqual([
    'not_json',
    'invalid_input',
    'line_too_long',
  ]);
  expect(wire.replies()).toEqual(['echo: still here']);
});

it('refuses a second daemon and says what to do', async () => {
  await using home = new BerthHome('process');
  await home.start();
  const second = await home.berth('start');
  expect(second.exitCode).toBe(1);
  expect(second.stderr).toContain('A daemon runs for this BERTH_HOME already.');
  expect(second.stderr).toContain('berth stop');
  expect((await home.berth('chat', 'hello')).stdout).toBe('echo: hello');
});

it.each(['in/inbound.db', 'out/outbound.db'])(
  'replaces a corrupt %s, tells its chat, and goes on in the same session, while the others notice nothing',
  async (file) => {
    await using home = new BerthHome('process');
    await home.start();
    await using wire = await home.wire();
    for (const platformId of ['broken', 'whole']) wire.say('hello', { platformId });
    await wire.until(() => wire.of('done').length === 2);
    const id = home.central((db) =>
      db
        .prepare<[], string>(
          `SELECT s.id FROM sessions s JOIN messaging_groups g ON g.id = s.messaging_group_id
           WHERE g.platform_id = 'broken'`,
        )
        .pluck()
        .get(),
    );
    writeFileSync(join(home.sessionDir(id ?? ''), file), 'x'.repeat(8_192));
    wire.say('are you there?', { platformId: 'broken' });
    wire.say('and you?', { platformId: 'whole' });
    await wire.until(() => wire.replies('whole').includes('echo: and you?'));
    await wire.until(() => wire.replies('broken').includes('echo: are you there?'));
    expect(wire.replies('broken').filter((text) => text === 'echo: hello')).toHaveLength(1);
    expect(wire.replies('broken').some((text) => text.includes('was damaged'))).toBe(true);
    const shown = await home.berth('sessions', 'show', id ?? '');
    expect(shown.stdout).toContain('Repairs');
    expect(shown.stdout).toContain('replaced');
    expect(shown.stdout).toMatch(/status +active/);
  },
);

it('refuses to start with an unreadable central.db and names the backup', async () => {
  await using home = new BerthHome('process');
  await home.start();
  await home.berth('stop');
  const central = join(home.home, 'data', 'central.db');
  copyFileSync(central, `${central}.whole`);
  writeFileSync(central, 'not a database, certainly not one'.repeat(200));
  const [backup] = readdirSync(join(home.home, 'data', 'backups'));
  const refused = await home.berth('start', '--detach');
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toContain('is damaged');
  expect(refused.stderr).toContain(String(backup));
  expect(existsSync(join(home.home, 'data', 'backups', String(backup)))).toBe(true);
});

it('keeps a message and tells the chat when no engine answers', async () => {
  await using home = new BerthHome('docker', { DOCKER_HOST: 'unix:///nowhere/docker.sock' });
  await home.start();
  await using wire = await home.wire();
  wire.say('hello');
  await wire.until(() => wire.replies().length > 0);
  expect(wire.replies()[0]).toContain('cannot be started right now');
  const status = await home.json<{ problem: string | null }>('status');
  expect(status.problem).toContain('engine');
});

it('does not hang with an engine that takes calls and never answers', async () => {
  await using engine = await silentEngine();
  await using home = new BerthHome('docker', {
    DOCKER_HOST: `tcp://127.0.0.1:${engine.port}`,
    BERTH_ENGINE_TIMEOUT_MS: '300',
  });
  await home.start();
  await using wire = await home.wire();
  wire.say('hello');
  await wire.until(() => wire.replies().length > 0);
  expect(wire.replies()[0]).toContain('cannot be started right now');
});

it('falls back to plain processes, aloud, when it may choose and no engine answers', async () => {
  await using home = new BerthHome('auto', { DOCKER_HOST: 'unix:///nowhere/docker.sock' });
  const { stdout, stderr } = await home.berth('chat', 'hello');
  expect(stdout).toBe('echo: hello');
  expect(stderr).toContain('nothing isolates them');
});

interface SilentEngine extends AsyncDisposable {
  readonly port: number;
}

function silentEngine(): Promise<SilentEngine> {
  return new Promise((resolve) => {
    const server: Server = createServer((socket) => {
      socket.on('error', () => undefined);
      server.once('close', () => socket.destroy());
    });
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      resolve({
        port,
        [Symbol.asyncDispose]: () =>
          new Promise((closed) => {
            server.close(() => {
              closed();
            });
            server.emit('close');
          }),
      });
    });
  });
}
