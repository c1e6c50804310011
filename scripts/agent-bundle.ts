/** How the agent becomes one file: the options of esbuild that say what is in it. */
import { join } from "node:path";
import type { BuildOptions } from "esbuild";

const root = join(import.meta.dirname, "..");
// Some packages are CommonJS inside and ask for these.
const banner = [
  'import { createRequire as makeRequire } from "node:module";',
  "const require = makeRequire(import.meta.url);",
  "const __filename = import.meta.filename;",
  "const __dirname = import.meta.dirname;",
].join("\n");

export const agentBundle = {
  absWorkingDir: root,
  entryPoints: ["packages/agent/src/main.ts"],
  bundle: true,
  platform: "node",
  target: "node22",
  format: "esm",
  banner: { js: banner },
  // Optional native parts: their absence is handled where they are asked for.
  external: ["cpu-features"],
  loader: { ".node": "empty" },
  logLevel: "error",
} as const satisfies BuildOptions;
