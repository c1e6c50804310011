/** YAML problem: one sentence about invalid YAML: what was found, and what to write instead. */
import type { YAMLError } from "yaml";

const isOpenQuote = /Missing closing .quote/;
const openBracket = /(?:end with a |expected )"?([\]}])/;

/** Whether the error is a quote or a bracket that is not closed. Its place is where the file or the line ends. */
export function isUnclosed({ message }: YAMLError): boolean {
  return isOpenQuote.test(message) || openBracket.test(message);
}

/** Returns: the sentence for the first syntax error of a file. */
export function yamlProblem({ code, message, pos }: YAMLError, text: string): string {
  const word = wordAt(text, pos[0]);
  const near = word === "" ? "" : ` at "${word}"`;
  switch (code) {
    case "TAB_AS_INDENT":
      return "found a tab as indentation: use spaces";
    case "BAD_INDENT":
    case "BLOCK_IN_FLOW":
      if (/must end with|sufficiently indented|end with a/.test(message)) break;
      return `found a wrong indent${near}: keys of one map begin in the same column`;
    case "BLOCK_AS_IMPLICIT_KEY":
    case "MULTILINE_IMPLICIT_KEY":
      return `found a wrong indent or a missing ":"${near}: keys of one map begin in the same column, and a text with ": " needs quotes`;
    case "BAD_SCALAR_START":
      return `found a text that begins with "${word.charAt(0)}": put it in quotes`;
    case "BAD_DQ_ESCAPE":
      return `found an invalid "\\" in double quotes: write "\\\\", or use single quotes`;
    case "BAD_ALIAS":
      return `found an invalid anchor or alias${near}: write &name and *name`;
    case "MULTIPLE_DOCS":
      return 'found a second document: write one file for each, without "---"';
    default:
      break;
  }
  if (isOpenQuote.test(message)) return "found no closing quote: add it";
  const bracket = openBracket.exec(message)?.[1];
  if (bracket !== undefined) return `found no closing "${bracket}": add it`;
  if (/Implicit map keys need/.test(message)) {
    return `found a key without ":"${near}: write "key: value", and check the indent of this line`;
  }
  if (/^Unexpected/.test(message)) {
    return `found text that belongs to nothing${near}: check the indent and the quotes of this line`;
  }
  return `found invalid YAML${near}: check the indent, quotes and brackets of this line`;
}

const wordLengthMax = 30;

/** The first word at this place of the text, or after it in the same line. */
function wordAt(text: string, offset: number): string {
  const line = text.slice(offset).split("\n", 1)[0] ?? "";
  return (line.trim().split(/\s/, 1)[0] ?? "").slice(0, wordLengthMax);
}
