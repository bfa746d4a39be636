'use strict';
// A program in the runner's place, for tests of what runs it. TEST_PLAN says what it does, the rest is in the workspace:
// wait (until TERM), ignore-term, exit (with TEST_EXIT_CODE), count (a line every 20 ms), family (a child that waits), probe.
const { spawn } = require('node:child_process');
const { closeSync, openSync, readFileSync, writeFileSync } = require('node:fs');
const { networkInterfaces } = require('node:os');
const { join } = require('node:path');

const { BERTH_IN_DIR: inDir = '/workspace/in', BERTH_OUT_DIR: outDir = '/workspace/out' } =
  process.env;
const {
  BERTH_AGENT_DIR: agentDir = '/workspace/agent',
  HOME: homeDir,
  TEST_PLAN: plan,
} = process.env;

const say = (line) => process.stdout.write(`${line}\n`);
const stayAlive = () => setInterval(() => undefined, 60_000);
const report = (facts) => writeFileSync(join(outDir, 'report.json'), JSON.stringify(facts));

function tryTo(work) {
  try {
    return work() ?? 'done';
  } catch (error) {
    return error.code ?? String(error);
  }
}

function write(path) {
  return tryTo(() => closeSync(openSync(path, 'w')));
}

function probe() {
  const status = tryTo(() => readFileSync('/proc/self/status', 'utf8'));
  report({
    uid: process.getuid(),
    cwd: process.cwd(),
    env: Object.keys(process.env).sort(),
    status: Object.fromEntries(
      status
        .split('\n')
        .map((line) => line.split(':\t'))
        .filter((pair) => pair.length === 2),
    ),
    interfaces: Object.keys(networkInterfaces()),
    memoryLimit: tryTo(() => process.constrainedMemory()),
    write: {
      in: write(join(inDir, 'probe')),
      out: write(join(outDir, 'probe')),
      agent: write(join(agentDir, 'probe')),
      home: write(join(homeDir, 'probe')),
      root: write('/probe'),
      program: write('/opt/berth/probe'),
      tmp: write('/tmp/probe'),
    },
    mounts: tryTo(() => readFileSync('/proc/mounts', 'utf8')),
  });
}

const plans = {
  wait() {
    process.once('SIGTERM', () => {
      say('got TERM');
      process.exit(0);
    });
    stayAlive();
  },
  'ignore-term'() {
    process.on('SIGTERM', () => say('ignored TERM'));
    stayAlive();
  },
  exit() {
    process.exitCode = Number(process.env.TEST_EXIT_CODE);
  },
  count() {
    let count = 0;
    setInterval(() => say(`count ${(count += 1)}`), 20);
  },
  family() {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 60_000)']);
    report({ childPid: child.pid });
    plans.wait();
  },
  probe() {
    probe();
    plans.wait();
  },
};

plans[plan]();
say(`stand-in runs ${plan}`);
process.stderr.write('and says so on stderr\n');
