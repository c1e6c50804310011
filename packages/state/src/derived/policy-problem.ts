/**
 * Policy problem: whether the operator's policy allows what a service's spec asks of its hosts.
 *
 * Checked when a service is created or updated, by every peer in the same way. A later, stricter policy stops nothing:
 * `gam policy` lists the services that it would refuse now.
 */
import { backupTarget } from "../labels/backup-labels.ts";
import { containerOptions } from "../labels/container-labels.ts";
import { allowed, type Policy, type Power, powers } from "../objects/policy.ts";
import type { Mount, ServiceSpec } from "../objects/service.ts";
import { readBackupPlace } from "../objects/volumes/backup.ts";

/** File systems whose data is on the network or in memory. */
const notOfHost = /^(?:nfs4?|cifs|smb3?|ceph|glusterfs|9p|afs|tmpfs|ramfs)$/;

/** Returns: the powers that the spec asks for, and the policy does not allow its service. */
export function deniedPowers(policy: Policy | undefined, spec: ServiceSpec): readonly Power[] {
  return powersOf(spec).filter((power) => {
    return !allowed(policy, power).some((pattern) => matches(pattern, spec.Name));
  });
}

/** Returns: why the service cannot have that spec, and what to do. */
export function policyProblem(policy: Policy | undefined, spec: ServiceSpec): string | undefined {
  const denied = deniedPowers(policy, spec);
  if (denied.length === 0) return undefined;
  const commands = denied.map((power) => `"gam policy allow ${power} ${spec.Name}"`).join(" and ");
  return `the policy does not allow ${denied.join(", ")} to service ${spec.Name}. An operator can run ${commands} on a manager`;
}

/** Returns: the powers over hosts that tasks of this spec have. */
export function powersOf({ TaskTemplate: task, Labels, Networks }: ServiceSpec): Power[] {
  const {
    privileged,
    devices,
    deviceRules,
    pid,
    ipc,
    uts,
    userns,
    cgroup,
    cgroupParent,
    security,
  } = containerOptions(Labels);
  const isUnmasked = security?.includes("systempaths=unconfined") === true;
  const joined = pid ?? uts ?? userns ?? cgroupParent;
  const isInHost = joined !== undefined || ipc === "host" || cgroup === "host";
  const networks = task.Networks ?? Networks ?? [];
  const binds = task.ContainerSpec.Mounts?.some(isOfHost) === true;
  const writes = readBackupPlace(backupTarget({ Labels })?.to ?? "")?.kind === "folder";
  const has: Record<Power, boolean> = {
    privileged: privileged !== undefined || isUnmasked,
    devices: devices !== undefined || deviceRules !== undefined,
    "host-namespaces": isInHost,
    "host-network": networks.some(({ Target }) => Target === "host"),
    "host-paths": binds || writes,
  };
  return powers.filter((power) => has[power]);
}

/**
 * Whether it shows a directory or a disk of the host: a bind mount, or a volume of the local driver that mounts one.
 * The driver's options are templates, so what could become a host's path counts as one.
 */
function isOfHost({ Type = "bind", VolumeOptions }: Mount): boolean {
  if (Type !== "volume") return Type === "bind";
  const { Name = "", Options = {} } = VolumeOptions?.DriverConfig ?? {};
  const { device = "", type = "", o = "" } = Options;
  // Without a device the driver mounts nothing. With the option "bind" the type does not count.
  if ((Name !== "" && Name !== "local") || device === "") return false;
  return !notOfHost.test(type) || /bind|\{\{/.test(o);
}

/** Backtracks to the last star only, so that no pattern takes long. */
function matches(pattern: string, name: string): boolean {
  let [at, from, star, retry] = [0, 0, -1, 0];
  while (from < name.length) {
    if (pattern[at] === "*") {
      star = at;
      retry = from;
      at += 1;
    } else if (at < pattern.length && pattern[at] === name[from]) {
      at += 1;
      from += 1;
    } else if (star >= 0) {
      at = star + 1;
      retry += 1;
      from = retry;
    } else return false;
  }
  return [...pattern.slice(at)].every((letter) => letter === "*");
}
