/**
 * Caddy image: gam/caddy:2, the test image with Debian's Caddy and its linked libraries.
 *
 * It stands for the image caddy:2, which labs cannot pull. Its Caddy is older than that of most images.
 */
import { accessSync, rmSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../hosts/lab-error.ts";
import { copyProgram, type LabImage, makeTestTree, tarOf } from "./test-image.ts";

const program = "/usr/bin/caddy";

/** `folder`: for the image's tree, empty afterwards. Errors: LabError without Caddy. */
export async function makeCaddyImage(folder: string): Promise<LabImage> {
  try {
    accessSync(program);
  } catch (cause) {
    throw new LabError("Cannot make the image of Caddy: apt-get install caddy", { cause });
  }
  const tree = join(folder, "tree");
  await makeTestTree(tree);
  await copyProgram(program, tree, "bin/caddy");
  const tar = await tarOf(tree);
  rmSync(folder, { recursive: true });
  return { names: ["gam/caddy:2"], tar, command: ["caddy", "version"], path: "/bin" };
}
