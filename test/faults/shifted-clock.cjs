'use strict';
// Loaded first, it shifts this process's wall clock by the milliseconds in the file `clock-offset-ms` beside it, as the
// machine's clock would jump. What never jumps, performance.now() and timers, stays as it is.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

const path = join(__dirname, 'clock-offset-ms');
const RealDate = Date;
const now = () => RealDate.now() + Number(readFileSync(path, 'utf8'));

globalThis.Date = class Date extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(now());
    else super(...args);
  }
  static now() {
    return now();
  }
};
