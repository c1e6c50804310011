import { GamError } from "@gam/core";

/**
 * Parses JSON. Its error messages are those of Go's encoding/json, because clients show them.
 *
 * Errors: GamError BAD_REQUEST.
 */
export function parseGoJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    const problem = problemOf(text) ?? thrown.message;
    throw new GamError("BAD_REQUEST", problem, { cause: thrown });
  }
}

/**
 * Returns: Go's message for a problem at the beginning; undefined for a deeper one, which keeps the parser's
 * message.
 */
function problemOf(text: string): string | undefined {
  const start = text.trimStart();
  const first = start[0];
  if (first === undefined) return "unexpected end of JSON input";
  if (first === "{") {
    const next = start.slice(1).trimStart()[0];
    if (next === undefined) return "unexpected end of JSON input";
    if (next === '"' || next === "}") return undefined;
    return `invalid character '${next}' looking for beginning of object key string`;
  }
  const word = ["true", "false", "null"].find((one) => one[0] === first);
  if (word !== undefined) {
    for (let at = 1; at < word.length; at += 1) {
      if (start[at] === word[at]) continue;
      if (start[at] === undefined) return "unexpected end of JSON input";
      return `invalid character '${start[at]}' in literal ${word} (expecting '${word[at]}')`;
    }
    return undefined;
  }
  if (first === "[" || first === '"' || /[-\d]/.test(first)) return undefined;
  return `invalid character '${first}' looking for beginning of value`;
}
