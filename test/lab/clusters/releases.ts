/**
 * Releases: bundles of the agent for two releases in a row.
 *
 * Both are made from this checkout. They differ only in the table of packages/state/src/log/dialect.ts: the last
 * release does not know the change that rotates join tokens, and in the next one that change came with dialect 2.
 * So they behave like two releases between which a change was added, and no change has to be invented.
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

/** Errors: LabError when the table does not look as expected. */
export async function makeReleases(): Promise<Releases> {
  return { last: await bundleOf(1), next: await bundleOf(2) };
}

async function bundleOf(newest: number): Promise<string> {
  // Beside the checkout's own bundle, because the agent looks for its package.json one folder up.
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
  throw new LabError(
    `Cannot make another release: dialect.ts does not have "${from}" exactly once`,
  );
}
