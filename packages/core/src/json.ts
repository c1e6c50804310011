/** What the JSON says; `otherwise` where the text is none. */
export function jsonOr<T>(text: string, otherwise: T): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    return otherwise;
  }
}
