/** A step of `npm run check`: exit code 1 where host, container or shared use a word of the private list. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AllowedWord,
  checkWords,
  commentShareAtLeast,
  type Finding,
  type SourceText,
  weakShareAtMost,
} from './words.js';

const allowed = JSON.parse(
  readFileSync('scripts/check/words-allowed.json', 'utf8'),
) as readonly AllowedWord[];
const wanted = process.argv.slice(2);
const sources = (wanted.length > 0 ? wanted : ['host', 'container', 'shared']).flatMap(listSources);
const report = checkWords(sources, allowed);
const weakShare = report.weak.length / Math.max(1, report.sentences);
const commentShare = report.commentLines / Math.max(1, report.lines);
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

const problems = [
  ...report.findings.map(describe),
  ...(weakShare > weakShareAtMost
    ? [
        ...report.weak.map(describe),
        `${percent(weakShare)} of the comment sentences begin with It or Where; at most ${percent(weakShareAtMost)} may.`,
      ]
    : []),
  ...(commentShare < commentShareAtLeast
    ? [
        `${percent(commentShare)} of the lines are comments; at least ${percent(commentShareAtLeast)} must be.`,
      ]
    : []),
  ...(wanted.length === 0
    ? report.unused.map(
        ({ path, word }) =>
          `words-allowed.json allows “${word}” in ${path}, which has no such word.`,
      )
    : []),
];
for (const problem of problems) console.error(problem);
console.log(
  `${report.sentences} comment sentences, ${percent(weakShare)} begin with It or Where; ${percent(commentShare)} of ${report.lines} lines are comments`,
);
process.exitCode = problems.length === 0 ? 0 : 1;

function describe({ path, line, message }: Finding): string {
  return `${path}:${line}  ${message}`;
}

function listSources(folder: string): readonly SourceText[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return listSources(path);
    return entry.name.endsWith('.ts') ? [{ path, text: readFileSync(path, 'utf8') }] : [];
  });
}
