/** How the gam command becomes one file. */
import type { BuildOptions } from "esbuild";
import { agentBundle } from "./agent.ts";

export const commandBundle = {
  ...agentBundle,
  entryPoints: ["packages/cli/src/main.ts"],
  outfile: "dist/gam.cjs",
  // CommonJS: a part that a command imports is run, and loads Node's modules, when that command is called.
  // An ES module would load the modules of all commands at the start.
  format: "cjs",
  banner: {},
} satisfies BuildOptions;
