/**
 * Releases: bundles of the agent as two releases in a row would have them.
 *
 * Both are made from this checkout. All that differs is the table of packages/state/src/log/dialect.ts: to the last
 * release the change that rotates join tokens is a kind that it does not know, to the next one it came with
 * dialect 2. So the log of the two is that of a gam and of the one before a new kind of change, and no change
 * has to be made up that no gam has.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { agentBundle } from "../../../scripts/bundle/agent.ts";
import { LabError } from "./lab.ts";

export interface Releases {
  /** Paths of the bundles. */
  readonly last: string;
  readonly next: string;
}

/** Errors: LabError when the table is not as this file knows it. */
export async function makeReleases(): Promise<Releases> {
  return { last: await bundleOf(1), next: await bundleOf(2) };
}

async function bundleOf(newest: number): Promise<string> {
  // Beside the checkout's own, because the agent looks for its package.json one folder up.
  const outfile = join(agentBundle.absWorkingDir, "dist", `agent.dialect-${newest}.mjs`);
  await build({
    ...agentBundle,
    outfile,
    plugins: [...agentBundle.plugins, dialectPlugin(newest)],
  });
  return outfile;
}

function dialectPlugin(newest: number): Plugin {
  return {
    name: "dialect",
    setup: ({ onLoad }) => {
      onLoad({ filter: /packages\/state\/src\/log\/dialect\.ts$/ }, async ({ path }) => {
        const text = await readFile(path, "utf8");
        const contents = replaced(
          replaced(text, "newest: 1,", `newest: ${newest},`),
          "rotateTokens: { kind: 1,",
          "rotateTokens: { kind: 2,",
        );
        return { contents, loader: "ts" };
      });
    },
  };
}

function replaced(text: string, from: string, to: string): string {
  if (text.split(from).length === 2) return text.replace(from, to);
  throw new LabError(`Cannot make another release: "${from}" is not once in dialect.ts`);
}
