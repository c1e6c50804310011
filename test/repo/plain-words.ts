/**
 * Plain words: phrases that usually mark a sentence to rewrite, because it does not name who does what.
 *
 * Counts them in comments, docs and messages. None of them is always wrong, so this is a measure and not a
 * rule.
 */
import { lineAt } from "./source.ts";
import { packageOf, type Tree } from "./tree.ts";

export const phrases = [
  "whoever",
  "one that",
  "such a one",
  "is told",
  "was told",
  "has been told",
  "of its own accord",
  "is nobody",
  "for nobody",
  "none the worse",
  "past it",
  "let go",
  "looks again",
  "of before",
  "as it is now",
  "gives way",
  "in its place",
  "is believed",
  "is remembered",
  "where nobody",
  "what is there",
] as const;

export interface Found {
  readonly phrase: string;
  readonly path: string;
  readonly line: number;
  /** `packages/state`, `docs` or `scripts`. */
  readonly group: string;
}

/** A phrase may continue in the next line, after the comment's own mark. */
const patterns = phrases.map((phrase) => ({
  phrase,
  pattern: new RegExp(`\\b${phrase.replaceAll(" ", "\\s+(?:(?:\\*|//|#)\\s+)?")}\\b`, "gi"),
}));

/** Every place in packages, docs and scripts, by path and line. This list of phrases itself does not count. */
export function findPhrases(tree: Tree): Found[] {
  const found: Found[] = [];
  for (const [path, text] of tree.texts) {
    const group = groupOf(path);
    if (group === undefined) continue;
    const prose = proseOf(text, tree.sources.get(path)?.code);
    for (const { phrase, pattern } of patterns) {
      for (const { index } of prose.matchAll(pattern)) {
        found.push({ phrase, path, line: lineAt(prose, index), group });
      }
    }
  }
  return found.sort((a, b) => a.path.localeCompare(b.path) || a.line - b.line);
}

function groupOf(path: string): string | undefined {
  const folder = packageOf(path);
  if (folder !== undefined) return `packages/${folder}`;
  return /^(docs|scripts)\//.exec(path)?.[1];
}

/** The comments and strings of TypeScript, or the whole of another text. Lines stay where they are. */
function proseOf(text: string, code: string | undefined): string {
  if (code === undefined) return text;
  return text.replace(/\S/g, (one, at: number) => (code[at] === " " ? one : " "));
}
