import type { Readable } from "node:stream";

/**
 * Yields the values of a stream of JSON lines. A chunk may hold several lines, or a part of one.
 *
 * Errors: those of the stream; SyntaxError for a line that is not JSON.
 */
export async function* jsonLines(stream: Readable): AsyncGenerator<unknown> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    rest += decoder.decode(chunk as Uint8Array, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") yield JSON.parse(line);
  }
  if (rest.trim() !== "") yield JSON.parse(rest);
}
