/**
 * Upgrade: the answers of `/gam/v1/upgrade`: which gam each host runs, which packages it has, and how its last
 * installation went. Hosts say the same to each other in the mesh.
 */
import { type Check, check, type NodeId } from "@gam/core";
import type { NodeState } from "../objects/node.ts";
import type { PeerRole } from "./status.ts";

/** A package of gam: a file that scripts/package made. */
export interface GamPackage {
  /** The file's name, without folders. */
  readonly name: string;
  /** Of the file, in hex. */
  readonly sha256: string;
  /** The gam in it, as `0.1.0+BUILD`. */
  readonly version: string;
  /** The newest dialect of the log that it reads. */
  readonly dialect: number;
  readonly machine: "amd64" | "arm64";
  readonly kind: "deb" | "tar";
}

/**
 * How an installation ended. `failed`: the host runs the earlier gam. `reverted`: the new agent did not answer, and
 * the earlier package was installed again. `stuck`: that failed, too, or there was no earlier package.
 */
export type InstallEnd = "installed" | "failed" | "reverted" | "stuck";

/** What a host says of its own gam. */
export interface HostGam {
  /** The gam that runs there. */
  readonly version: string;
  /** The dialect of the log that it speaks. */
  readonly dialect: number;
  readonly machine: string;
  /** How it was installed. `other`: from a checkout or by npm, so no package can replace it. */
  readonly kind: "deb" | "tar" | "other";
  /** Raft index of the last entry applied there. */
  readonly applied: number;
  /** The package that is being installed; "" for none. */
  readonly installing: string;
  /** The last installation; null before the first. */
  readonly last: {
    readonly sha256: string;
    readonly end: InstallEnd;
    /** The last lines that it printed. */
    readonly printed: string;
  } | null;
  /** The packages that the host keeps: the running one, the one before it, and a new one. */
  readonly kept: readonly GamPackage[];
  /** The sha256 of the package that ran before the present one; "" when the host keeps none. */
  readonly earlier: string;
}

export interface UpgradeHost {
  readonly id: NodeId;
  readonly hostname: string;
  readonly role: PeerRole;
  readonly state: NodeState;
  readonly heard: boolean;
  /** Whether its engine answers, by its last report. */
  readonly engine: boolean;
  /** Null when the host did not answer. */
  readonly gam: HostGam | null;
  /** Why it did not answer; "" when it did. */
  readonly problem: string;
}

export interface UpgradeReport {
  /** The asked host. */
  readonly self: NodeId;
  readonly leader: NodeId | null;
  /** Whether managers that restart are locked. */
  readonly autolock: boolean;
  /** Raft index of the last entry applied on the asked host, before the other hosts were asked. */
  readonly applied: number;
  readonly voters: readonly NodeId[];
  readonly hosts: readonly UpgradeHost[];
}

/** How the sending of a package to a host goes. `going`: ask again. */
export interface GivenPackage {
  readonly state: "going" | "done" | "failed";
  /** Bytes that were sent so far. */
  readonly bytes: number;
  /** Why it failed; "" otherwise. */
  readonly reason: string;
}

const hostsMax = 10_000;
const keptMax = 16;
const sentence = check.string(65_536);
const nodeId = check.id<NodeId>();
const aVersion = check.string(64);
const dialect = check.integer(1, 2 ** 31);

export const aPackageSum = check.matching(/^[0-9a-f]{64}$/, "a sha256 in hex", 64);
/** As scripts/package names them. It becomes a part of paths. */
const nameForm = /^gam[_-][0-9A-Za-z.~+-]+(?:_|-linux-)(amd64|arm64)\.(deb|tar\.gz)$/;
const aPackageName = check.matching(nameForm, "the name of a package of gam", 128);

/** Errors of all: BAD_FRAME with the path of what is wrong. */
export const checkPackage: Check<GamPackage> = check.object({
  name: aPackageName,
  sha256: aPackageSum,
  version: aVersion,
  dialect,
  machine: check.literal("amd64", "arm64"),
  kind: check.literal("deb", "tar"),
});

export const checkHostGam: Check<HostGam> = check.object({
  version: aVersion,
  dialect,
  machine: check.string(64),
  kind: check.literal("deb", "tar", "other"),
  applied: check.integer(),
  installing: check.string(64),
  last: check.orNull(
    check.object({
      sha256: check.string(64),
      end: check.literal("installed", "failed", "reverted", "stuck"),
      printed: sentence,
    }),
  ),
  kept: check.list(checkPackage, keptMax),
  earlier: check.string(64),
});

export const checkUpgradeReport: Check<UpgradeReport> = check.object({
  self: nodeId,
  leader: check.orNull(nodeId),
  autolock: check.boolean,
  applied: check.integer(),
  voters: check.list(nodeId, hostsMax),
  hosts: check.list(
    check.object({
      id: nodeId,
      hostname: check.string(),
      role: check.literal("leader", "voter", "learner", "worker"),
      state: check.literal("unknown", "down", "ready", "disconnected"),
      heard: check.boolean,
      engine: check.boolean,
      gam: check.orNull(checkHostGam),
      problem: sentence,
    }),
    hostsMax,
  ),
});

export const checkGivenPackage: Check<GivenPackage> = check.object({
  state: check.literal("going", "done", "failed"),
  bytes: check.integer(),
  reason: sentence,
});

/** Returns: kind and machine by a package's name; undefined for other names. */
export function packageForm(name: string): Pick<GamPackage, "kind" | "machine"> | undefined {
  const found = nameForm.exec(name);
  if (found === null) return undefined;
  return {
    kind: found[2] === "deb" ? "deb" : "tar",
    machine: found[1] === "arm64" ? "arm64" : "amd64",
  };
}

/** Returns: why a package must not be installed on a host, and what to do; undefined when it may. */
export function misfit(
  { kind, machine, dialect, version }: GamPackage,
  host: Pick<HostGam, "kind" | "machine" | "dialect" | "version">,
): string | undefined {
  if (host.kind === "other") {
    return "gam is not installed there by a package: it runs from a checkout or by npm. Replace it by hand";
  }
  if (machine !== host.machine) {
    return `it is for ${machine}, and the host is ${host.machine}. Add the package for ${host.machine}`;
  }
  if (kind !== host.kind) {
    const wanted = host.kind === "deb" ? ".deb" : ".tar.gz";
    return `gam was installed there from a ${wanted}. Add the ${wanted} of this version`;
  }
  if (dialect < host.dialect) {
    return (
      `gam ${version} reads dialect ${dialect} of the log, and the host has written dialect ${host.dialect}. ` +
      "To go back, remove the node, move its data directory away and join the host again"
    );
  }
  return undefined;
}
