/** Why this machine cannot run a lab. Tests that need a lab are skipped with this reason. */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { cgroupTree } from "../hosts/cgroup.ts";

/** Each command that a lab runs, with its Debian package. */
const packageOf = {
  bash: "bash",
  busybox: "busybox-static",
  containerd: "containerd",
  docker: "docker.io",
  dockerd: "docker.io",
  ip: "iproute2",
  iptables: "iptables",
  mount: "mount",
  nft: "nftables",
  nsenter: "util-linux",
  runc: "runc",
  tar: "tar",
  unshare: "util-linux",
} as const;

/**
 * Undefined if a lab can be started here. Otherwise the reason, as the end of a sentence.
 * `more`: further commands that are needed, each with its package.
 */
export function labUnavailable(more: Readonly<Record<string, string>> = {}): string | undefined {
  if (process.platform !== "linux") return `it needs Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "it needs root";
  const missing = Object.entries({ ...packageOf, ...more }).filter(
    ([command]) => !isOnPath(command),
  );
  if (missing.length > 0) {
    const commands = missing.map(([command]) => command).join(", ");
    const packages = [...new Set(missing.map(([, name]) => name))].join(" ");
    return `${commands} missing; apt-get install ${packages}`;
  }
  const tree = cgroupTree();
  if (tree.kind === "none") return tree.reason;
  // One try checks all: privileges, namespaces, the bridge, veth pairs and the packet filter.
  const trial = [
    "mount -t tmpfs tmpfs /run",
    "mkdir /run/upper /run/work /run/merged",
    "mount -t overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work overlay /run/merged",
    "ip link add gam0 type bridge",
    "ip link add gam1 type veth peer name gam2",
    "nft add table bridge gam",
  ].join(" && ");
  const namespaces = ["--fork", "--pid", "--mount", "--uts", "--net"];
  const { status, stderr } = spawnSync("unshare", [...namespaces, "sh", "-c", trial]);
  if (status === 0) return undefined;
  return `this machine cannot make a host's namespaces: ${stderr.toString().trim()}`;
}

function isOnPath(command: string): boolean {
  return (process.env.PATH ?? "").split(":").some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false; // Not in this folder, or not executable for us.
    }
  });
}
