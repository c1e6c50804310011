/** Remote step: decides what a host that should join needs next, by what it says of itself. Pure. */
import type { GamPackage } from "@gam/state/answers";

/** What a host says, before gam need be there. */
export interface Probe {
  /** As `uname -m` prints it. */
  readonly machine: string;
  readonly isRoot: boolean;
  readonly hasDpkg: boolean;
  /** The installed gam; "" for none. */
  readonly version: string;
  /** Of its agent; undefined where none answers. */
  readonly agent: { readonly state: string; readonly self: string } | undefined;
}

export type RemoteStep =
  | { readonly kind: "install"; readonly machine: GamPackage["machine"]; readonly hasDpkg: boolean }
  | { readonly kind: "join" }
  /** It is a member. */
  | { readonly kind: "done"; readonly id: string }
  | { readonly kind: "cannot"; readonly why: string };

/** A shell script whose output readProbe() reads. The agent's answer comes last, since it has many lines. */
export const probeScript = `echo "machine=$(uname -m)"
echo "user=$(id -u)"
echo "dpkg=$(command -v dpkg)"
echo "gam=$(gam --version 2>/dev/null)"
echo agent=
gam status --json 2>/dev/null || true
`;

const machines: Readonly<Record<string, GamPackage["machine"]>> = {
  x86_64: "amd64",
  aarch64: "arm64",
};

/** Returns: what the script's output says; undefined where it is no such output. */
export function readProbe(text: string): Probe | undefined {
  const found = /(?:^|\n)machine=(.*)\nuser=(\d+)\ndpkg=(.*)\ngam=(.*)\nagent=\n([\s\S]*)$/.exec(
    text,
  );
  if (found === null) return undefined;
  const [, machine = "", user = "", dpkg = "", version = "", answer = ""] = found;
  const [, state] = /^ {2}"state": "(\w+)"/m.exec(answer) ?? [];
  const [, self] = /^ {2}"self": "(\w*)"/m.exec(answer) ?? [];
  return {
    ...{ machine, version },
    isRoot: user === "0",
    hasDpkg: dpkg !== "",
    agent: state === undefined ? undefined : { state, self: self ?? "" },
  };
}

/** `members`: ids of this cluster's nodes. */
export function remoteStep(
  { machine: said, isRoot, hasDpkg, version, agent }: Probe,
  members: readonly string[],
): RemoteStep {
  const cannot = (why: string): RemoteStep => ({ kind: "cannot", why });
  if (!isRoot) return cannot("this user is not root there. Use root@HOST");
  if (version === "") {
    const machine = machines[said];
    if (machine === undefined) {
      return cannot(`there is no package for ${said}, only for x86_64 and aarch64`);
    }
    return { kind: "install", machine, hasDpkg };
  }
  if (agent === undefined || agent.state === "inactive") return { kind: "join" };
  if (agent.state === "locked") return cannot('it is locked. Run "gam unlock" there');
  if (members.includes(agent.self)) return { kind: "done", id: agent.self };
  return cannot(
    'it is in another mesh. Run "gam leave" there first, if that mesh can do without it',
  );
}

interface Form {
  readonly kind: "deb" | "tar";
  readonly machine: "amd64" | "arm64";
}

/** Returns: the package for that host; undefined if there is none. A tarball suits any host. */
export function packageFor<T extends Form>(
  packages: readonly T[],
  { machine, hasDpkg }: Extract<RemoteStep, { kind: "install" }>,
): T | undefined {
  const fits = packages.filter((one) => one.machine === machine && (hasDpkg || one.kind === "tar"));
  return fits.find(({ kind }) => kind === "deb") ?? fits[0];
}
