/** Host checks: what one host has by itself: its engine, disks, memory, kernel, log and clock. */
import { sizeText } from "@gam/core";
import { demandsEncryption, type Node, type View } from "@gam/state";
import type { Examination, Examined, HostFacts } from "../door/doctor-facts.ts";
import { failed, hostOf, inWords, passed, type Ruling, unknown } from "./ruling.ts";

/** A larger difference disturbs certificates and the times in logs. */
const clockOffMsMax = 2_000;
const engineOldest = [20, 10] as const;
/** Below one of the two there is no room for the log, images and layers. */
const diskFreeShareMin = 0.05;
const diskFreeBytesMin = 100 * 2 ** 20;
const memoryFreeShareMin = 0.05;
/** Above it, bursts of connections are dropped. */
const conntrackShareMax = 0.9;

/** What can be said of any host, also one in no cluster. */
export function ofHost(host: string, facts: HostFacts): Ruling[] {
  return [
    ...disks(host, facts),
    engine(host, facts),
    leftovers(host, facts),
    memory(host, facts),
    connections(host, facts),
    line(host, facts),
  ];
}

interface MemberFacts {
  readonly own: Examination;
  readonly host: string;
  /** The entry of the log that it should have applied. */
  readonly expected: number;
}

/** What can be said of a member that answered. */
export function ofMember(node: Node, { own, host, expected }: MemberFacts, view: View): Ruling[] {
  return [
    passed("agents", host),
    ...ofHost(host, own),
    ...journal(host, own),
    ...log(host, own, expected),
    kernel(node),
    encryption(node, view),
    ...(own.problems.length === 0 ? [passed("data planes", host)] : []),
    ...own.problems.map((found) => {
      const remedy = `Read the log of the agent of ${host}, and docs/networking.md for how to find the cause. The agent tries again by itself`;
      return failed("data planes", host, { found, remedy });
    }),
  ];
}

function disks(host: string, { disks }: HostFacts): Ruling[] {
  const wrong = disks.flatMap(({ path, freeBytes, totalBytes, failure }) => {
    if (failure !== "") {
      const found = `Nothing can be written to ${path}: ${failure}`;
      const remedy = `Look at the disk of ${path} on ${host}: "df -h ${path}", "dmesg". The agent goes on by itself when it can write`;
      return [failed("disks", host, { found, remedy })];
    }
    const least = Math.max(diskFreeBytesMin, totalBytes * diskFreeShareMin);
    if (totalBytes === 0 || freeBytes >= Math.min(least, totalBytes / 2)) return [];
    const found = `The disk of ${path} has ${sizeText(freeBytes)} left of ${sizeText(totalBytes)}`;
    const remedy = `Free space on ${host}: "docker system df" shows what the engine keeps, "gam image prune ${host}" deletes unused images`;
    return [failed("disks", host, { found, remedy })];
  });
  return wrong.length > 0 ? wrong : [passed("disks", host)];
}

function engine(host: string, { engine: { state, reason, version } }: HostFacts): Ruling {
  if (state === "stopped") {
    const found = `Its engine does not run: ${reason}`;
    const remedy = `Run "systemctl start docker" on ${host}`;
    return failed("engines", host, { found, remedy, mend: "engine" });
  }
  if (state === "silent") {
    const found = `Its engine takes calls and does not answer them: ${reason}`;
    const remedy = `Run "systemctl restart docker" on ${host}. Its containers end, unless the engine has "live-restore"`;
    return failed("engines", host, { found, remedy });
  }
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isOld = major < engineOldest[0] || (major === engineOldest[0] && minor < engineOldest[1]);
  if (state === "old" || (isOld && version !== "")) {
    const found = `Its engine is version ${version || "unknown"}, gam needs 20.10 or newer`;
    const remedy = `Install Docker 20.10 or newer on ${host}`;
    return failed("engines", host, { found, remedy });
  }
  return passed("engines", host);
}

function leftovers(host: string, { engine: { inSwarm } }: HostFacts): Ruling {
  if (!inSwarm) return passed("leftovers", host);
  const found = "Its engine is in Docker Swarm mode, which uses the ports that gam needs";
  const remedy = `Run "docker --host unix:///var/run/docker.sock swarm leave --force" on ${host}. If it is a manager of a swarm that is still used, move its services first`;
  return failed("leftovers", host, { found, remedy });
}

function memory(host: string, { memory: { availableBytes, totalBytes } }: HostFacts): Ruling {
  if (totalBytes === 0 || availableBytes >= totalBytes * memoryFreeShareMin) {
    return passed("memory", host);
  }
  const found = `It has ${sizeText(availableBytes)} of memory left of ${sizeText(totalBytes)}`;
  const remedy = `"docker --host unix:///var/run/docker.sock stats" on ${host} shows who uses it. Limit that service ("docker service update --limit-memory"), or move tasks away ("gam drain ${host}")`;
  return failed("memory", host, { found, remedy });
}

function connections(host: string, { conntrack: { used, max } }: HostFacts): Ruling {
  if (max === 0 || used < max * conntrackShareMax) return passed("connections", host);
  const found = `Its kernel tracks ${used} connections and may track ${max}: new ones are dropped`;
  const remedy = `Run "sysctl net.netfilter.nf_conntrack_max=${max * 2}" on ${host}, and put that line into a file in /etc/sysctl.d`;
  return failed("connections", host, { found, remedy, mend: "conntrack" });
}

function line(host: string, { line }: HostFacts): Ruling {
  if (line !== "down") return passed("line", host);
  return failed("line", host, {
    found: "Its device to the other hosts has no link",
    remedy: `Look at the cable or the virtual network of ${host}: "ip link" there. What runs on it goes on`,
  });
}

function journal(host: string, { log: { stopped } }: Examination): Ruling[] {
  if (stopped === "") return [];
  const remedy = `Read the log of the agent of ${host}: it says how to continue. "gam recover" there shows what the host still has`;
  return [failed("journal", host, { found: `It takes no part: ${stopped}`, remedy })];
}

function log(host: string, { log: own }: Examination, expected: number): Ruling[] {
  if (own.stopped !== "") return [];
  if (own.applied >= expected) return [passed("log", host)];
  const found = `Its log stays at entry ${own.applied}, the others are at ${expected}: it does not see what has changed since`;
  const remedy = `Run "systemctl restart gam" on ${host}. If that does not help, read its agent's log`;
  return [failed("log", host, { found, remedy })];
}

/** Modules that the kernel tests of the data plane name: the agent loads no others. */
const loadable = /`modprobe (?:vxlan|br_netfilter)`/;

function kernel(node: Node): Ruling {
  const host = hostOf(node);
  const { network } = node.Gam;
  if (network === undefined) {
    return unknown("kernels", host, "It has not reported yet what it can do");
  }
  const { problem } = network;
  if (problem === "") return passed("kernels", host);
  const remedy = `Do this on ${host}; its agent checks again every minute: ${problem.split(": ").at(-1)}`;
  const mend = loadable.test(problem) ? ({ mend: "modules" } as const) : {};
  return failed("kernels", host, { found: problem, remedy, ...mend });
}

function encryption(node: Node, view: View): Ruling {
  const host = hostOf(node);
  const demanding = view.networks().filter(demandsEncryption);
  if (node.Gam.network?.encryption !== "none" || demanding.length === 0) {
    return passed("encryption", host);
  }
  const names = inWords(demanding.map(({ Name }) => `"${Name}"`));
  return failed("encryption", host, {
    found: `It has no WireGuard, so tasks of ${names} cannot run there`,
    remedy: `Install wireguard-tools on ${host}, and wireguard-go where the kernel has no WireGuard`,
  });
}

/** Of all hosts at once: if the asked host's clock is off, all others seem to be. */
export function clocks(members: readonly (Examined & { readonly host: string })[]): Ruling[] {
  const known = members.filter(({ examination }) => examination !== undefined);
  const sorted = known.map(({ clockAheadMs }) => clockAheadMs).sort((a, b) => a - b);
  // Of two hosts nobody can tell which one is right.
  const right = known.length < 3 ? 0 : (sorted[Math.floor((known.length - 1) / 2)] ?? 0);
  return known.map(({ host, clockAheadMs, clockDoubtMs }) => {
    const off = clockAheadMs - right;
    if (Math.abs(off) - clockDoubtMs <= clockOffMsMax) return passed("clocks", host);
    const way = off > 0 ? "ahead" : "behind";
    const against = known.length < 3 ? `${off > 0 ? " of" : ""} the asked host's` : "";
    const found = `Its clock is ${spanText(Math.abs(off))} ${way}${against}`;
    const remedy = `Set the clock of ${host}, and run a time service there, such as chrony`;
    return failed("clocks", host, { found, remedy });
  });
}

/** Returns: `3.5 s`, or `2 days`. */
function spanText(ms: number): string {
  const units = [
    ["days", 86_400_000],
    ["hours", 3_600_000],
    ["minutes", 60_000],
  ] as const;
  const unit = units.find(([, unitMs]) => ms >= 2 * unitMs - 1000);
  if (unit === undefined) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.round(ms / unit[1])} ${unit[0]}`;
}
