/**
 * Source stack: a stack trace with positions in the sources, for an agent that runs as a bundle.
 *
 * The bundle has few lines, so positions in it say little. The source map beside it is read only when there is a
 * trace to print; Node would keep it in memory all the time.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { SourceMap } from "node:module";
import { fileURLToPath } from "node:url";

const placePattern = /(file:\/\/[^\s()]+?):(\d+):(\d+)/g;

/**
 * Returns: the trace, with `path:line:column` for each position that the map beside its file knows. The path is
 * relative to the folder that the map is made for. Other positions stay. A map newer than `startedAtMs`
 * (milliseconds since 1970) belongs to a later bundle than the running one, and is not used.
 */
export function sourceStack(stack: string, startedAtMs: number): string {
  const maps = new Map<string, SourceMap | undefined>();
  return stack.replace(placePattern, (place, url: string, line: string, column: string) => {
    if (!maps.has(url)) maps.set(url, mapOf(fileURLToPath(url), startedAtMs));
    const found = maps.get(url)?.findEntry(Number(line) - 1, Number(column) - 1);
    if (found === undefined || !("originalSource" in found)) return place;
    const { originalSource, originalLine, originalColumn } = found;
    return `${originalSource.replace(/^(?:\.\.\/)+/, "")}:${originalLine + 1}:${originalColumn + 1}`;
  });
}

function mapOf(path: string, startedAtMs: number): SourceMap | undefined {
  const mapPath = `${path}.map`;
  try {
    if (!existsSync(mapPath) || statSync(mapPath).mtimeMs > startedAtMs) return undefined;
    return new SourceMap(JSON.parse(readFileSync(mapPath, "utf8")));
  } catch {
    // Catches all: a broken map must not hide the error that is about to be logged.
    return undefined;
  }
}
