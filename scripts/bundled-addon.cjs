'use strict';
// Stands in for the package `bindings` inside the runner's bundle.
const { join } = require('node:path');

module.exports = () => {
  const addon = { exports: {} };
  process.dlopen(addon, join(__dirname, 'better_sqlite3.node'));
  return addon.exports;
};
