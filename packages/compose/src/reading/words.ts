/**
 * Words: splits a command line as a shell would, without expanding anything.
 *
 * Returns: `undefined` for an unclosed quote or a backslash at the end.
 * Source: POSIX shell quoting, as the docker client reads `command` and `entrypoint`; `#` begins a
 * comment where a word could begin.
 */
export function splitWords(line: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < line.length; at += 1) {
    const one = line.charAt(at);
    if (one === "\\" && quote !== "'") {
      at += 1;
      if (at === line.length) return undefined;
      word = (word ?? "") + line.charAt(at);
    } else if (quote !== "") {
      if (one === quote) quote = "";
      else word = (word ?? "") + one;
    } else if (one === '"' || one === "'") {
      quote = one;
      word ??= "";
    } else if (/[ \t\r\n]/.test(one)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (one === "#" && word === undefined) {
      const end = line.indexOf("\n", at);
      at = end < 0 ? line.length : end;
    } else {
      word = (word ?? "") + one;
    }
  }
  if (quote !== "") return undefined;
  return word === undefined ? words : [...words, word];
}
