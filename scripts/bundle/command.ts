/** The esbuild options that make the gam command one file. */
import type { BuildOptions } from "esbuild";
import { agentBundle } from "./agent.ts";

export const commandBundle = {
  ...agentBundle,
  entryPoints: ["packages/cli/src/main.ts"],
  outfile: "dist/gam.cjs",
  // CommonJS: what a command imports is loaded when that command runs. An ES module would load the modules
  // of all commands at the start.
  format: "cjs",
  banner: {},
} satisfies BuildOptions;
