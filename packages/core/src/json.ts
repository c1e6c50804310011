/** Returns: the parsed JSON; `otherwise` if the text is no JSON. */
export function jsonOr<T>(text: string, otherwise: T): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    return otherwise;
  }
}
