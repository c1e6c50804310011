/** The esbuild options that make the agent one file. */
import { join } from "node:path";
import type { BuildOptions } from "esbuild";
import { leaveOut } from "./left-out.ts";

// Some packages are CommonJS inside and use these.
const banner = [
  'import { createRequire as makeRequire } from "node:module";',
  "const require = makeRequire(import.meta.url);",
  "const __filename = import.meta.filename;",
  "const __dirname = import.meta.dirname;",
].join("\n");

export const agentBundle = {
  absWorkingDir: join(import.meta.dirname, "../.."),
  entryPoints: ["packages/agent/src/main.ts"],
  outfile: "dist/agent.mjs",
  bundle: true,
  platform: "node",
  target: "node22",
  format: "esm",
  banner: { js: banner },
  plugins: [leaveOut],
  // V8 keeps the source in memory as long as the agent runs. Names stay, for stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  // One character outside of Latin-1, also in a comment, would make V8 keep two bytes for each character.
  charset: "ascii",
  legalComments: "external",
  // The file does not name it, so Node does not load it. The agent reads it only to print a stack trace.
  sourcemap: "external",
  sourcesContent: false,
  logLevel: "error",
} satisfies BuildOptions;
