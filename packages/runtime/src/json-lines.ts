import type { Readable } from "node:stream";

/**
 * The values of a stream of JSON lines. A chunk may hold several, or a part of one.
 *
 * Errors: what the stream fails with; SyntaxError for what is no JSON.
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
