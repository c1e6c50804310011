/** Answers of `GET /gam/v1/upgrade`, with defaults for what a test does not care about. */
import { createHash } from "node:crypto";
import type { GamPackage, HostGam, UpgradeHost, UpgradeReport } from "@gam/state/answers";
import { nodeIdOf } from "./a-status.ts";

/** The package of version `0.1.0+BUILD`, for `kind` and `machine`. */
export function aPackage(build: string, changed: Partial<GamPackage> = {}): GamPackage {
  const { machine = "amd64", kind = "deb" } = changed;
  return {
    name: kind === "deb" ? `gam_0.1.0_${machine}.deb` : `gam-0.1.0-linux-${machine}.tar.gz`,
    sha256: createHash("sha256").update(`${build} ${machine} ${kind}`).digest("hex"),
    version: `0.1.0+${build}`,
    dialect: 1,
    ...{ machine, kind },
    ...changed,
  };
}

/** Host NUMBER with build "a" from a .deb. `gam: null` for one that does not answer. */
export function anUpgradeHost(
  number: number,
  {
    gam,
    ...changed
  }: Partial<Omit<UpgradeHost, "gam">> & { readonly gam?: Partial<HostGam> | null } = {},
): UpgradeHost {
  return {
    id: nodeIdOf(number),
    hostname: `host${number}`,
    role: "voter",
    state: "ready",
    heard: gam !== null,
    engine: true,
    problem: gam === null ? "it is not connected" : "",
    gam:
      gam === null
        ? null
        : {
            ...{ version: "0.1.0+a", dialect: 1, machine: "amd64", kind: "deb", applied: 9 },
            ...{ installing: "", last: null, kept: [aPackage("a")], earlier: "" },
            ...gam,
          },
    ...changed,
  };
}

/** The answer of host1, which host2 leads. */
export function anUpgradeReport(
  hosts: readonly UpgradeHost[],
  changed: Partial<UpgradeReport> = {},
): UpgradeReport {
  return {
    self: nodeIdOf(1),
    leader: nodeIdOf(2),
    autolock: false,
    applied: 9,
    voters: hosts.filter(({ role }) => ["leader", "voter"].includes(role)).map(({ id }) => id),
    hosts,
    ...changed,
  };
}

/** What a host says that went from build `from` to `to` and keeps both packages. */
export function upgraded(from: string, to: string): Partial<HostGam> {
  const kept = [aPackage(from), aPackage(to)];
  return { version: `0.1.0+${to}`, kept, earlier: aPackage(from).sha256 };
}
