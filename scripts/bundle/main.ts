/**
 * Builds dist/agent.mjs and dist/gam.cjs, the agent and the gam command in one file each, with licences and
 * source maps beside them. They start much faster than the sources with node_modules, and the agent uses much
 * less memory.
 */
import { randomUUID } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { build } from "esbuild";
import { agentBundle } from "./agent.ts";
import { commandBundle } from "./command.ts";

for (const bundle of [agentBundle, commandBundle]) {
  const { outputFiles } = await build({ ...bundle, write: false });
  // The program last: its time says whether the bundle is new.
  for (const { path, contents } of outputFiles.sort((a, b) => b.path.length - a.path.length)) {
    // Another process may build or run the same file. No process id in the name: each lab host counts its own.
    const unfinished = `${path}.${randomUUID()}.tmp`;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(unfinished, contents);
    await rename(unfinished, path);
  }
}
