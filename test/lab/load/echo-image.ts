/**
 * Echo image: the test image with Node and the echo server (echo-server.ts), for tests of networks.
 *
 *   gam/echo:1, gam/echo:2   two images of one layer
 *   echo-server [PORT]       default command, on port 80
 *
 * Node is the one that runs this program, with its linked libraries.
 */
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { transform } from "esbuild";
import { copyProgram, type LabImage, makeTestTree, tarOf } from "./test-image.ts";

// Node resolves names in threads, four by default, and unknown names are slow. So the image has more
// threads.
const start = `#!/bin/sh
export UV_THREADPOOL_SIZE=16
exec node --max-semi-space-size=2 /lib/echo-server.mjs "\${1:-80}"
`;

/** `folder`: for the image's tree, empty afterwards. */
export async function makeEchoImage(folder: string): Promise<LabImage> {
  const tree = join(folder, "tree");
  await makeTestTree(tree);
  await copyProgram(process.execPath, tree, "bin/node");
  const source = readFileSync(new URL("./echo-server.ts", import.meta.url), "utf8");
  // Without types it starts in two thirds of the time.
  const { code } = await transform(source, { loader: "ts", format: "esm", target: "node22" });
  writeFileSync(join(tree, "lib/echo-server.mjs"), code);
  writeFileSync(join(tree, "bin/echo-server"), start);
  mkdirSync(join(tree, "run"), { recursive: true });
  for (const path of ["bin/node", "bin/echo-server"]) chmodSync(join(tree, path), 0o755);
  const tar = await tarOf(tree);
  rmSync(folder, { recursive: true });
  return { names: ["gam/echo:1", "gam/echo:2"], tar, command: ["echo-server"], path: "/bin" };
}
