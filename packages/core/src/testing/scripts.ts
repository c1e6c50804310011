/**
 * Scripts: specifications that people can check without reading code.
 *
 * A file is a list of blocks: comment lines starting with #, one command line, ----, then the expected
 * answer up to an empty line. Each file gets a world of its own. Run with REWRITE=1 to write the real
 * answers into the file, then read the diff.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

export interface Options {
  has(key: string): boolean;
  string(key: string): string;
  number(key: string): number;
  /** Comma-separated; an empty value is an empty list. */
  list(key: string): string[];
}

export interface Command {
  readonly verb: string;
  /** The words without "=". */
  readonly words: readonly string[];
  /** The words of the form key=value. */
  readonly options: Options;
}

function parse(line: string): Command {
  const [verb = "", ...rest] = line.trim().split(/\s+/);
  const pairs = new Map<string, string>();
  const words: string[] = [];
  for (const word of rest) {
    const at = word.indexOf("=");
    if (at > 0) pairs.set(word.slice(0, at), word.slice(at + 1));
    else words.push(word);
  }
  const must = (key: string): string => {
    const value = pairs.get(key);
    if (value === undefined) throw new Error(`Cannot run "${line}": option "${key}" is missing`);
    return value;
  };
  return {
    verb,
    words,
    options: {
      has: (key) => pairs.has(key),
      string: must,
      number: (key) => {
        const value = Number(must(key));
        if (Number.isNaN(value)) throw new Error(`Cannot run "${line}": "${key}" is no number`);
        return value;
      },
      list: (key) =>
        must(key)
          .split(",")
          .filter((one) => one !== ""),
    },
  };
}

/** Runs every .txt file in the folder, each in a world of its own, and compares answer by answer. */
export function runScripts(folder: URL, world: () => (command: Command) => string): void {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith(".txt"))
    .sort();
  assert.ok(files.length > 0, `no scripts in ${folder.pathname}`);
  for (const name of files) {
    const url = new URL(name, folder);
    const blocks = readFileSync(url, "utf8")
      .trimEnd()
      .split(/\n{2,}/);
    const run = world();
    const written = blocks.map((block) => {
      const lines = block.split("\n");
      const at = lines.indexOf("----");
      if (at < 0) {
        assert.ok(
          lines.every((line) => line.startsWith("#")),
          `${name}: block without ----:\n${block}`,
        );
        return block;
      }
      const command = lines
        .slice(0, at)
        .filter((line) => !line.startsWith("#"))
        .join(" ");
      const got = run(parse(command));
      if (process.env.REWRITE !== "1") {
        assert.equal(got, lines.slice(at + 1).join("\n"), `${name}: ${command}`);
      }
      return [...lines.slice(0, at), "----", got].join("\n");
    });
    if (process.env.REWRITE === "1") writeFileSync(url, `${written.join("\n\n")}\n`);
  }
}
