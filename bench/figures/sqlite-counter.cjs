/**
 * Counts what a process does with SQLite, when Node is told to load this first (--require). It writes a line for each
 * event into a file of its own beside this one: milliseconds since 1970, what happened, and the database's file name.
 *
 * A process that is started with an empty environment, and a worker thread, are counted too: the counter adds itself to
 * the arguments of each Node process that a counted one starts, also by way of a shell, and of each thread.
 */
'use strict';
const childProcess = require('node:child_process');
const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const { performance } = require('node:perf_hooks');
const workerThreads = require('node:worker_threads');

const output = fs.openSync(
  path.join(__dirname, `${process.pid}-${workerThreads.threadId}.events`),
  'a',
  0o644,
);
/** Agents are counted by nobody: they are not part of the daemon. */
const runner = /\brunner(?:-[a-z0-9-]+)?\.c?js$/;

function tell(event, database) {
  const now = (performance.timeOrigin + performance.now()).toFixed(3);
  fs.writeSync(output, `${now} ${event} ${path.basename(database)}\n`);
}

function countIn(addon) {
  const NativeDatabase = addon.Database;
  addon.Database = new Proxy(NativeDatabase, {
    construct(target, args) {
      tell('open', args[0]);
      return new target(...args);
    },
  });
  const { prepare, exec } = NativeDatabase.prototype;
  NativeDatabase.prototype.prepare = function countedPrepare(...args) {
    tell('prepare', this.name);
    const statement = Reflect.apply(prepare, this, args);
    countCommitsOf(Object.getPrototypeOf(statement));
    return statement;
  };
  NativeDatabase.prototype.exec = function countedExec(...args) {
    tell('prepare', this.name);
    return Reflect.apply(exec, this, args);
  };
}

const counted = new WeakSet();
/** Databases whose transaction has written. */
const dirty = new WeakSet();

function countCommitsOf(prototype) {
  if (counted.has(prototype)) return;
  counted.add(prototype);
  for (const method of ['run', 'get', 'all']) {
    const original = prototype[method];
    prototype[method] = function countedCall(...args) {
      const { database } = this;
      const before = database.inTransaction;
      const result = Reflect.apply(original, this, args);
      noteWrite(this, method, result);
      if (!database.inTransaction && dirty.has(database)) {
        dirty.delete(database);
        if (!before || /^\s*(COMMIT|END)/i.test(this.source)) tell('commit', database.name);
      }
      return result;
    };
  }
}

const control = /^\s*(BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE|PRAGMA)/i;
const schema = /^\s*(CREATE|ALTER|DROP)/i;

/** A write that changed no row leaves nothing to be committed. */
function noteWrite(statement, method, result) {
  if (statement.readonly || control.test(statement.source)) return;
  const rows =
    method === 'run'
      ? result.changes
      : method === 'all'
        ? result.length
        : Number(result !== undefined);
  if (rows > 0 || schema.test(statement.source)) dirty.add(statement.database);
}

const loadAddon = Module._extensions['.node'];
Module._extensions['.node'] = function load(module, filename) {
  Reflect.apply(loadAddon, this, [module, filename]);
  if (path.basename(filename) === 'better_sqlite3.node') countIn(module.exports);
};

const { spawn } = childProcess.ChildProcess.prototype;
childProcess.ChildProcess.prototype.spawn = function countedSpawn(options) {
  const { args = [] } = options;
  const node = args.indexOf(process.execPath);
  const isCounted = node !== -1 && !args.some((arg) => runner.test(arg));
  if (isCounted) options.args = args.toSpliced(node + 1, 0, '--require', __filename);
  return Reflect.apply(spawn, this, [options]);
};

workerThreads.Worker = class CountedWorker extends workerThreads.Worker {
  constructor(script, options) {
    super(script, { ...options, execArgv: ['--require', __filename] });
  }
};
Module.syncBuiltinESMExports();
