/**
 * Finds words of a private language in identifiers and comments, and comment sentences that are hard to read.
 * The list of words is closed on purpose: the check says which plain word to use, and guesses nothing.
 */
import ts from 'typescript';

export interface Finding {
  readonly path: string;
  /** Counted from 1. */
  readonly line: number;
  readonly message: string;
}

export interface AllowedWord {
  readonly path: string;
  readonly word: string;
  readonly reason: string;
}

export interface SourceText {
  readonly path: string;
  readonly text: string;
}

/** Whole words, without regard to case, and the word to use instead. */
const bannedEverywhere: readonly (readonly [words: string, instead: string])[] = [
  ['look looks looked looking', 'pass or poll; as a verb: read, check, examine'],
  ['mend mends mended mending mender', 'repair'],
  ['desk desks', 'handler'],
  ['bury buries buried burying', 'record as a dead letter'],
  ['condemn condemns condemned', 'stopped in a turn'],
  ['accuse accuses accused accusation accusations', 'mark stuck'],
  ['rubbish', 'malformed'],
  ['crowd crowds crowded crowding', 'burst'],
  ['tally tallies', 'counter'],
  ['hasten hastens hastened', 'reschedule'],
  ['forsaken', 'abandoned'],
  ['blank blanks spare spares', 'prewarmed'],
  ['aside', 'quarantine, quarantined'],
  ['books', 'settlement'],
  ['trap traps', 'hostile file'],
  ['vital vitals', 'liveness'],
  ['house houses ground grounds', 'daemon, core'],
  ['hear hears heard hearing', 'listen again, receive, be told'],
];

/** A picture is allowed in a text, and the field says "warm message"; a name says what the thing is. */
const bannedInNames: typeof bannedEverywhere = [
  ['warm warms warmed warming', 'prewarmed'],
  ['room rooms wall walls door doors', 'a name without a picture'],
];

const insteadInText = tableOf(bannedEverywhere);
const insteadInNames = tableOf([...bannedEverywhere, ...bannedInNames]);
const badBeginning = /^(What|Who|Whoever|One|Somebody)\b/;
const weakBeginning = /^(It|Where)\b/;

/** At most so much of all comment sentences begins with It or Where. */
export const weakShareAtMost = 0.04;
/** At least so much of all lines is comment. */
export const commentShareAtLeast = 0.09;

export interface WordReport {
  readonly findings: readonly Finding[];
  readonly sentences: number;
  /** Sentences that begin with It or Where. */
  readonly weak: readonly Finding[];
  /** Of the files that are no tests. */
  readonly commentLines: number;
  readonly lines: number;
  /** Entries of the allow list that allow nothing. */
  readonly unused: readonly AllowedWord[];
}

export function checkWords(
  sources: readonly SourceText[],
  allowed: readonly AllowedWord[],
): WordReport {
  const used = new Set<AllowedWord>();
  const isAllowed = (path: string, word: string): boolean => {
    const entries = allowed.filter((entry) => entry.path === path && entry.word === word);
    for (const entry of entries) used.add(entry);
    return entries.length > 0;
  };
  const files = sources.map((source) => checkSource(source, isAllowed));
  const sum = (count: (file: SourceReport) => number): number =>
    files.reduce((total, file) => total + count(file), 0);
  return {
    findings: files.flatMap((file) => file.findings),
    weak: files.flatMap((file) => file.weak),
    sentences: sum((file) => file.sentences),
    commentLines: sum((file) => file.commentLines),
    lines: sum((file) => file.lines),
    unused: allowed.filter((entry) => !used.has(entry)),
  };
}

type SourceReport = Omit<WordReport, 'unused'>;

function checkSource(
  { path, text }: SourceText,
  isAllowed: (path: string, word: string) => boolean,
): SourceReport {
  const syntax = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  const lineAt = (position: number): number =>
    syntax.getLineAndCharacterOfPosition(position).line + 1;
  const comments = commentsOf(syntax);
  const sentences = comments.flatMap(sentencesOf);
  const at = ({ position, text: start }: Piece, message: (text: string) => string): Finding => ({
    path,
    line: lineAt(position),
    message: message(start.replaceAll(/\s+/g, ' ').trim().slice(0, 60)),
  });
  const inNames = [fileNameOf(path), ...namesOf(syntax)].flatMap((name) =>
    wordsOf(name).flatMap((word) => replaced(word, insteadInNames)),
  );
  const inText = sentences.flatMap((sentence) =>
    wordsOf(sentence).flatMap((word) => replaced(word, insteadInText)),
  );
  const bad = sentences.filter((sentence) => badBeginning.test(sentence.text));
  return {
    findings: [
      ...[...inNames, ...inText]
        .filter(({ word }) => !isAllowed(path, word))
        .map(({ position, word, instead }) => ({
          path,
          line: lineAt(position),
          message: `“${word}”: say ${instead}`,
        })),
      ...bad.map((sentence) => at(sentence, (start) => `begin otherwise: ${start}`)),
    ],
    weak: sentences
      .filter((sentence) => weakBeginning.test(sentence.text))
      .map((sentence) => at(sentence, (start) => start)),
    sentences: sentences.length,
    ...(isTest(path)
      ? { commentLines: 0, lines: 0 }
      : {
          commentLines: comments.reduce(
            (count, { position, text: comment }) =>
              count + (startsLine(text, position) ? comment.split('\n').length : 0),
            0,
          ),
          lines: text.split('\n').length - (text.endsWith('\n') ? 1 : 0),
        }),
  };
}

/** A test says in its titles what it is about. */
function isTest(path: string): boolean {
  return path.endsWith('.test.ts');
}

interface Piece {
  readonly position: number;
  readonly text: string;
}

function startsLine(text: string, position: number): boolean {
  return text.slice(text.lastIndexOf('\n', position - 1) + 1, position).trim() === '';
}

function fileNameOf(path: string): Piece {
  return { position: 0, text: path.slice(path.lastIndexOf('/') + 1) };
}

function namesOf(syntax: ts.SourceFile): readonly Piece[] {
  return nodesOf(syntax)
    .filter((node) => ts.isIdentifier(node) || ts.isPrivateIdentifier(node))
    .map((node) => ({ position: node.getStart(syntax), text: node.text }));
}

/** Lines of `//` below one another are one comment. */
const commentBlock = /^(\/\*.*?\*\/|\/\/[^\n]*(\n[ \t]*\/\/[^\n]*)*)/s;
const trailingComment = /^(\/\*.*?\*\/|\/\/[^\n]*)/s;

/** Every comment is outside of strings, templates and regular expressions, which may have the form of comments. */
function commentsOf(syntax: ts.SourceFile): readonly Piece[] {
  const { text } = syntax;
  const literalEnds = new Map(
    nodesOf(syntax)
      .filter(
        (node) =>
          ts.isLiteralExpression(node) ||
          ts.isTemplateMiddleOrTemplateTail(node) ||
          node.kind === ts.SyntaxKind.TemplateHead,
      )
      .map((node) => [node.getStart(syntax), node.getEnd()]),
  );
  const comments: Piece[] = [];
  for (let position = 0; position < text.length;) {
    const literalEnd = literalEnds.get(position);
    const comment = startsLine(text, position) ? commentBlock : trailingComment;
    const found =
      literalEnd === undefined && text[position] === '/'
        ? comment.exec(text.slice(position))
        : null;
    if (found !== null) comments.push({ position, text: found[0] });
    position = literalEnd ?? position + (found?.[0].length ?? 1);
  }
  return comments;
}

/** A sentence ends before a capital letter, a quotation or code, and at an empty line or the next item of a list. */
function sentencesOf({ position, text }: Piece): readonly Piece[] {
  const plain = text.replace(/^[ \t]*(\/\*\*?|\*\/|\*|\/\/)|\*\/$/gm, (mark) =>
    ' '.repeat(mark.length),
  );
  const ends = /[.!?]["”’)]?\s+(?=["“`(]?[A-Z`])|\n[ \t]*\n|\n[ \t]*(?=- |@)/g;
  const starts = [0, ...[...plain.matchAll(ends)].map((end) => end.index + end[0].length)];
  return starts
    .map((start, index) => {
      const sentence = plain.slice(start, starts[index + 1]);
      const skipped = /^[\s"“`(-]*/.exec(sentence)?.[0].length ?? 0;
      return { position: position + start + skipped, text: sentence.slice(skipped) };
    })
    .filter((sentence) => sentence.text.trim() !== '');
}

/** `nextCheckAt`, `next_check_at` and `next-check-at.ts` are made of the same words. */
function wordsOf({ position, text }: Piece): readonly Piece[] {
  return [...text.matchAll(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+/g)].map((word) => ({
    position: position + word.index,
    text: word[0].toLowerCase(),
  }));
}

function replaced(
  { position, text: word }: Piece,
  table: ReadonlyMap<string, string>,
): readonly { readonly position: number; readonly word: string; readonly instead: string }[] {
  const instead = table.get(word);
  return instead === undefined ? [] : [{ position, word, instead }];
}

function tableOf(list: typeof bannedEverywhere): ReadonlyMap<string, string> {
  return new Map(
    list.flatMap(([words, instead]) => words.split(' ').map((word) => [word, instead])),
  );
}

function nodesOf(root: ts.Node): readonly ts.Node[] {
  const nodes: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    nodes.push(node);
    node.forEachChild(visit);
  };
  visit(root);
  return nodes;
}
