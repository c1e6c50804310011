/**
 * Test image: busybox with its applets as links, as a tar of its one layer.
 *
 *   gam/test:1, gam/test:2   two images with one layer, for updates
 *   idle                     default command: waits without end, ends at once on SIGTERM
 *   serve [PORT]             answers HTTP with the container's name (/) and its caller (/cgi-bin/who)
 *
 * For thousands of requests, and for requests to others, there is another image: echo-image.ts.
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { engineCall } from "../hosts/engine-call.ts";
import { LabError } from "../hosts/lab-error.ts";
import { must, run } from "../hosts/run.ts";

/** Images of one layer, one for each name. */
export interface LabImage {
  readonly names: readonly string[];
  readonly tar: Buffer;
  readonly command: readonly string[];
  readonly path: string;
}

// The kernel applies no default action of a signal to a container's first process. So without a trap
// SIGTERM is ignored, and each stop lasts its whole grace period.
const idle = `#!/bin/sh
trap 'exit 0' TERM INT
sleep 2147483647 &
wait $!
`;

const serve = `#!/bin/sh
trap 'exit 0' TERM INT
hostname > /www/index.html
httpd -f -p "\${1:-80}" -h /www &
wait $!
`;

const who = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n%s %s\\n' "$(hostname)" "$REMOTE_ADDR"
`;

/** `folder`: for the image's tree, empty afterwards. */
export async function makeTestImage(folder: string): Promise<LabImage> {
  const tree = join(folder, "tree");
  await makeTestTree(tree);
  const tar = await tarOf(tree);
  rmSync(folder, { recursive: true });
  return { names: ["gam/test:1", "gam/test:2"], tar, command: ["idle"], path: "/bin" };
}

/** Makes the tree: busybox and the commands above. */
export async function makeTestTree(tree: string): Promise<void> {
  for (const path of ["bin", "etc", "tmp", "www/cgi-bin"]) {
    mkdirSync(join(tree, path), { recursive: true });
  }
  copyFileSync("/bin/busybox", join(tree, "bin/busybox"));
  const runs = await run("chroot", [tree, "/bin/busybox", "true"]);
  if (runs.code !== 0) {
    throw new LabError(
      "Cannot make test image: /bin/busybox is not static; apt-get install busybox-static",
    );
  }
  for (const applet of (await must("busybox", ["--list"])).split("\n")) {
    if (applet !== "" && applet !== "busybox") symlinkSync("busybox", join(tree, "bin", applet));
  }
  writeFileSync(
    join(tree, "etc/passwd"),
    "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
  );
  writeFileSync(join(tree, "etc/group"), "root:x:0:\nnogroup:x:65534:\n");
  chmodSync(join(tree, "tmp"), 0o1777);
  for (const [path, text] of [
    ["bin/idle", idle],
    ["bin/serve", serve],
    ["www/cgi-bin/who", who],
  ] as const) {
    writeFileSync(join(tree, path), text);
    chmodSync(join(tree, path), 0o755);
  }
}

/** Copies a program into the tree, as `path`, and the libraries that it is linked with. */
export async function copyProgram(program: string, tree: string, path: string): Promise<void> {
  for (const library of librariesIn(await must("ldd", [program]))) {
    mkdirSync(dirname(join(tree, library)), { recursive: true });
    copyFileSync(library, join(tree, library));
  }
  copyFileSync(program, join(tree, path));
  chmodSync(join(tree, path), 0o755);
}

/** The paths in the output of ldd: "libc.so.6 => /lib/…/libc.so.6 (0x…)" and "/lib64/ld-linux… (0x…)". */
function librariesIn(said: string): string[] {
  return said.split("\n").flatMap((line) => /(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

export async function tarOf(tree: string): Promise<Buffer> {
  const tar = `${tree}.tar`;
  // The same tree gives the same bytes, and so the same layer, whenever it is made.
  const same = ["--sort=name", "--mtime=2026-01-01", "--owner=0", "--group=0"];
  await must("tar", ["-C", tree, ...same, "-cf", tar, "."]);
  const bytes = await readFile(tar);
  rmSync(tar);
  return bytes;
}

const archives = new WeakMap<LabImage, Promise<Buffer>>();

/** Gives an image to one engine, under all its names. It has the same ids in every engine of a lab. */
export async function loadImage(socketPath: string, image: LabImage): Promise<void> {
  const archive = archives.get(image) ?? archiveOf(image);
  archives.set(image, archive);
  const { status, text } = await engineCall(socketPath, {
    method: "POST",
    path: "/images/load?quiet=1",
    body: await archive,
  });
  if (status !== 200 || text.includes('"error"')) {
    const names = image.names.join(", ");
    throw new LabError(`Cannot load ${names}: the engine answered ${status}, ${text.trim()}`);
  }
}

/** As `docker save` makes it. */
async function archiveOf({ names, tar, command, path }: LabImage): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), "gam-lab-image-"));
  const diff = `sha256:${createHash("sha256").update(tar).digest("hex")}`;
  writeFileSync(join(folder, "layer.tar"), tar);
  const manifest = names.map((name, at) => {
    const Env = [`PATH=${path}`, `VERSION=${name.slice(name.indexOf(":") + 1)}`];
    const config = {
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      os: "linux",
      created: "2026-01-01T00:00:00Z",
      config: { Cmd: command, Env },
      rootfs: { type: "layers", diff_ids: [diff] },
    };
    writeFileSync(join(folder, `${at}.json`), JSON.stringify(config));
    return { Config: `${at}.json`, RepoTags: [name], Layers: ["layer.tar"] };
  });
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
  const archive = await tarOf(folder);
  rmSync(folder, { recursive: true });
  return archive;
}
