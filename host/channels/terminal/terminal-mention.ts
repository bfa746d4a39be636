/**
 * The names that a text is addressed to: of each `@` that begins a word, the word. The terminal knows nobody; whose name it
 * is, is found out elsewhere. An `@` in an e-mail address, a link, a path, a package's name or code names nobody.
 */
export function findMentionedNames(text: string): readonly string[] {
  if (!/[@＠﹫]/.test(text)) return [];
  const prose = withoutLinks(withoutCode(text.replace(invisible, '')));
  const names: string[] = [];
  for (const found of prose.matchAll(addressing)) {
    const rest = prose.slice(found.index + found[0].length, found.index + found[0].length + 200);
    if (!goesOnAsAddress.test(rest)) names.push(found[0].slice(1));
  }
  return names;
}

/** In place of what was taken out: a word is there, so that what follows it at once begins none. */
const placeholder = 'x';

/** The characters that some clients wrap a name in. */
const invisible = /[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/g;

/**
 * A word begins at the start, after space, or after punctuation that may stand right before one: whatever opens, marks
 * of emphasis, dashes, and what ends a clause, after which many scripts write no space.
 */
const addressing =
  /(?<=^|[\s\p{Ps}\p{Pi}\p{Pf}\p{Pd}"'*_~|¡¿,;:!?…]|(?!\p{ASCII})\p{Po})[@＠﹫](?=[\p{L}\p{N}_])[\p{L}\p{M}\p{N}_-]*/gu;

/** `@scope/package`, `@user@server.org`: the name of something elsewhere. */
const goesOnAsAddress = /^(?:\/[\p{L}\p{N}._~-]|[.\p{L}\p{N}_-]{0,100}[@＠]\p{L})/u;

/** With or without its scheme; it ends where no address goes on. */
const link =
  /(?:[a-z][a-z0-9+.-]{0,30}:\/\/|www\.|(?:mailto|xmpp|sip|matrix|acct|tel|urn|data):)[^\s<>"'`，。！？、；：「」『』（）《》【】]+/giu;

/** `[text](target)`, as Markdown writes one. */
const markdownLink = /\[[^[\]\n]*\]\([^()\s]*\)/g;

function withoutLinks(text: string): string {
  return text.replace(markdownLink, placeholder).replace(link, placeholder);
}

/** Between two runs of as many backticks is code; a run that has no second one is text. */
function withoutCode(text: string): string {
  const runs = [...text.matchAll(/`+/g)].map(({ 0: { length }, index }) => ({ length, index }));
  const ends = new Map<number, number[]>();
  for (const { length, index } of runs.toReversed()) {
    const known = ends.get(length);
    if (known === undefined) ends.set(length, [index]);
    else known.push(index);
  }
  let prose = '';
  let at = 0;
  for (const { length, index } of runs) {
    const later = ends.get(length) ?? [];
    later.pop();
    const end = later.at(-1);
    if (index < at || end === undefined) continue;
    prose += text.slice(at, index) + placeholder;
    at = end + length;
  }
  return prose + text.slice(at);
}
