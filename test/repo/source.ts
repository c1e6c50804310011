/**
 * Source: what the rules need of one TypeScript file, read without a compiler.
 *
 * Decides where comments, strings and code are, what is imported and what is exported. Does not
 * understand types or scopes. Expects formatted text (statements end in `;`).
 */

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** Imported names; `"*"` for the whole module. */
  readonly names: readonly string[];
  /** Not an import but a path to a program, `new URL("./x.ts", import.meta.url)`. */
  readonly isProgram: boolean;
}

export interface Export {
  readonly name: string;
  readonly line: number;
}

export interface Source {
  /** From the root of the tree, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** The text with blanks for comments and the insides of strings; every line and column stays. */
  readonly code: string;
  /** The text with blanks for everything but comments. */
  readonly comments: string;
  readonly imports: readonly Import[];
  /** Functions, classes and constants that are declared and exported here. */
  readonly values: readonly Export[];
  /** Types, interfaces and classes that are declared and exported here. */
  readonly types: readonly Export[];
}

export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) line++;
  return line;
}

/** The position of the bracket that closes the `(` or `{` at `open`. `code`: as in Source. */
export function closingOf(code: string, open: number): number {
  const [opening, closing] = code[open] === "(" ? ["(", ")"] : ["{", "}"];
  let depth = 0;
  for (let at = open; at < code.length; at += 1) {
    if (code[at] === opening) depth += 1;
    if (code[at] === closing) depth -= 1;
    if (depth === 0) return at;
  }
  return code.length;
}

export function readSource(path: string, text: string): Source {
  const { code, comments } = separate(text);
  return {
    path,
    text,
    code,
    comments,
    imports: importsIn(text, code),
    values: valuesIn(code),
    types: typesIn(code),
  };
}

const blank = (text: string): string => text.replace(/[^\n]/g, " ");

/** After one of these a `/` begins a regular expression, after anything else it divides. */
const beforeRegex = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|case|typeof|in|of|delete|void))\s*$/;

/** Ends of the tokens that can hide code, each matched at its own first character. */
const tokens = {
  lineComment: /\/\/[^\n]*/y,
  blockComment: /\/\*[\s\S]*?(?:\*\/|$)/y,
  string: /"(?:[^"\\\n]|\\[\s\S])*"?|'(?:[^'\\\n]|\\[\s\S])*'?/y,
  regex: /\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y,
  template: /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y,
};

function separate(text: string): { code: string; comments: string } {
  const code: string[] = [];
  const comments: string[] = [];
  /** One entry per template we are inside of: how many braces are open in its `${…}`. */
  const templates: number[] = [];
  let at = 0;
  const take = (token: RegExp): string => {
    token.lastIndex = at;
    const found = token.exec(text)?.[0] ?? "";
    at += found.length;
    return found;
  };
  const asText = (found: string): void => {
    code.push(
      found.slice(0, 1),
      blank(found.slice(1, -1)),
      found.length > 1 ? found.slice(-1) : "",
    );
    comments.push(blank(found));
  };
  const templateText = (): void => {
    const found = take(tokens.template);
    code.push(blank(found));
    comments.push(blank(found));
    const closes = text[at] === "`";
    const mark = closes ? "`" : text.slice(at, at + 2);
    at += mark.length;
    code.push(mark);
    comments.push(blank(mark));
    if (!closes) templates.push(0);
  };
  while (at < text.length) {
    const two = text.slice(at, at + 2);
    const one = two.slice(0, 1);
    if (two === "//" || two === "/*") {
      const found = take(two === "//" ? tokens.lineComment : tokens.blockComment);
      code.push(blank(found));
      comments.push(found);
    } else if (one === '"' || one === "'") {
      asText(take(tokens.string));
    } else if (one === "/" && beforeRegex.test(text.slice(Math.max(0, at - 20), at))) {
      const found = take(tokens.regex);
      if (found !== "") asText(found);
      else {
        at += 1;
        code.push(one);
        comments.push(" ");
      }
    } else {
      at += 1;
      code.push(one);
      comments.push(blank(one));
      const open = templates.at(-1);
      if (one === "`") templateText();
      else if (one === "{" && open !== undefined) templates[templates.length - 1] = open + 1;
      else if (one === "}" && open !== undefined) {
        if (open > 0) templates[templates.length - 1] = open - 1;
        else {
          templates.pop();
          templateText();
        }
      }
    }
  }
  return { code: code.join(""), comments: comments.join("") };
}

const fromClause =
  /\b(?:import|export)\s+((?:type\s+)?(?:[\w$]+\s*,\s*)?(?:\{[^}]*\}|\*(?:\s+as\s+[\w$]+)?|[\w$]+))\s*from\s*(["'])/g;
const bareImport = /\bimport\s*\(?\s*(["'])/g;
const besideThisFile = /\bnew\s+URL\(\s*(["'])[^"']*\1\s*,\s*import\.meta\.url/g;

function importsIn(text: string, code: string): Import[] {
  const found: Import[] = [];
  const add = (
    start: number,
    quoteAt: number,
    names: readonly string[],
    isProgram = false,
  ): void => {
    const quote = text.charAt(quoteAt);
    const specifier = text.slice(quoteAt + 1, text.indexOf(quote, quoteAt + 1));
    found.push({ specifier, line: lineAt(text, start), names, isProgram });
  };
  for (const match of code.matchAll(fromClause)) {
    add(match.index, match.index + match[0].length - 1, namesIn(match[1] ?? ""));
  }
  for (const match of code.matchAll(bareImport)) {
    const taken = /\{([^{}]*)\}\s*=\s*await\s+$/.exec(code.slice(0, match.index))?.[1];
    const names = taken === undefined ? ["*"] : namesIn(`{${taken.replace(/:\s*[\w$]+/g, "")}}`);
    add(match.index, match.index + match[0].length - 1, names);
  }
  for (const match of code.matchAll(besideThisFile)) {
    const quoteAt = match.index + match[0].search(/["']/);
    if (text.slice(quoteAt).search(/["'][^"']*\.ts["']/) === 0)
      add(match.index, quoteAt, ["*"], true);
  }
  return found;
}

function namesIn(clause: string): string[] {
  const braces = /\{([^}]*)\}/.exec(clause)?.[1];
  if (braces === undefined) return ["*"];
  return braces
    .split(",")
    .map((one) =>
      one
        .trim()
        .replace(/^type\s+/, "")
        .replace(/\s+as\s[\s\S]*$/, ""),
    )
    .filter((one) => one !== "");
}

const declaration =
  /^export\s+(?:declare\s+)?(?:(?:async\s+)?function\s*\*?|(?:abstract\s+)?class|const|let)\s+([\w$]+)/gm;

function valuesIn(code: string): Export[] {
  return [...code.matchAll(declaration)].map((match) => ({
    name: match[1] ?? "",
    line: lineAt(code, match.index),
  }));
}

const typeDeclaration =
  /^export\s+(?:declare\s+)?(?:type|interface|(?:abstract\s+)?class)\s+([\w$]+)(?=[\s<={])/gm;

function typesIn(code: string): Export[] {
  return [...code.matchAll(typeDeclaration)].map((match) => ({
    name: match[1] ?? "",
    line: lineAt(code, match.index),
  }));
}
