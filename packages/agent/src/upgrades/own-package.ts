/** Own package: which gam this is, and how it came to this host. */
import { readFileSync } from "node:fs";
import { arch } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { check } from "@gam/core";
import type { HostGam } from "@gam/state/answers";

export interface OwnPackage extends Pick<HostGam, "kind" | "machine"> {
  /** As in the manifest, `0.1.0`: what clients of the Engine API see. */
  readonly release: string;
  /** With the build, `0.1.0+BUILD`, where there is one: a checkout has none. */
  readonly version: string;
  /** Folder of the package. */
  readonly root: string;
  /** Options with which this agent was started. */
  readonly args: readonly string[];
}

/** Where the packages put gam. */
const kinds: Readonly<Record<string, OwnPackage["kind"]>> = {
  "/usr/lib/gam": "deb",
  "/usr/local/lib/gam": "tar",
};

const checkManifest = check.object({
  version: check.string(32),
  gam: check.optional(check.object({ build: check.string(31) })),
});

/** Returns: the package whose bundle has this URL. Errors: those of the file system; BAD_FRAME. */
export function ownPackage(bundle: string, args: readonly string[]): OwnPackage {
  const root = dirname(dirname(fileURLToPath(bundle)));
  const text = readFileSync(`${root}/package.json`, "utf8");
  const { version: release, gam } = checkManifest(JSON.parse(text), "package.json");
  return {
    release,
    version: gam === undefined ? release : `${release}+${gam.build}`,
    ...{ root, args },
    kind: kinds[root] ?? "other",
    machine: machineOf(arch()),
  };
}

/** Returns: Debian's name of a machine that Node has another name for. */
function machineOf(name: string): string {
  return name === "x64" ? "amd64" : name;
}
