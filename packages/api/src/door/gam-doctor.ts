/**
 * Gam doctor: checks whether the hosts of a mesh have what they need, and says what to do if they do not.
 *
 * Decides from the state and from each node's examination of its own side. Collects nothing itself: the facts come
 * through the door. A check that could not run is "unknown", which is not a failure.
 */
import { type Checked, check, type NodeId } from "@gam/core";
import { demandsEncryption, type Node, type View } from "@gam/state";
import type { DoctorCheck, DoctorReport, Pools } from "@gam/state/answers";

const nodesMax = 10_000;
const text = check.string(4096);

/** A node's examination of its own side. It comes from another host, so it is checked. */
export const checkExamination = check.object({
  /** Time of the answer by that host's clock, in milliseconds since 1970. */
  wallMs: check.number(),
  /** How long it took to answer. */
  tookMs: check.number(),
  /** The engine reports that it is in a Docker swarm. */
  inSwarm: check.boolean,
  /** Problems of its data plane and its name server, in sentences. */
  problems: check.list(text, 1024),
  /** Nodes to which it has a mesh connection. */
  connected: check.list(check.id<NodeId>(), nodesMax),
  /**
   * Paths to other nodes. If the two share a network: through it, from bridge to bridge and back. Otherwise: to
   * the port that a network's packets would use.
   */
  paths: check.list(
    check.object({
      to: check.id<NodeId>(),
      /** "" if the two share no network. */
      network: text,
      /** Port that must be open between the two, such as `4789/udp`. */
      port: text,
      /** Length of the longer of the two probe packets. */
      bytes: check.integer(),
      /** `small`: the short packet arrived, the long one did not. */
      result: check.literal("whole", "small", "none"),
    }),
    nodesMax,
  ),
});
export type Examination = Checked<typeof checkExamination>;

export interface Examined {
  readonly node: NodeId;
  /** Absent if the node did not answer. */
  readonly examination?: Examination;
  /** Why the node did not answer; "" if it did. */
  readonly failure: string;
  /** How far its clock is ahead of the asking host's, and the possible error of that. */
  readonly clockAheadMs: number;
  readonly clockDoubtMs: number;
}

export interface DoctorFacts {
  readonly examined: readonly Examined[];
  readonly pools: Pools;
  /** How long the asked peer has known no leader, and the voters. */
  readonly leaderlessMs: number;
  readonly voters: readonly NodeId[];
  /** Nodes on which another recovery began another life of the cluster. */
  readonly rivals: readonly NodeId[];
  /** Networks whose subnet overlaps with another route of a host. */
  readonly clashes: readonly {
    readonly network: string;
    readonly subnet: string;
    readonly node: NodeId;
    readonly route: string;
  }[];
}

/** The part of the door that the doctor uses. */
export interface DoctorDoor {
  /**
   * Makes all nodes examine their own side at once. Takes bounded time; never rejects. Called only while
   * active.
   */
  examine(): Promise<DoctorFacts>;
}

type Topic =
  | "leader"
  | "agents"
  | "engines"
  | "leftovers"
  | "kernels"
  | "encryption"
  | "clocks"
  | "mesh"
  | "overlay"
  | "data planes"
  | "addresses";

/** A larger difference disturbs certificates and the times in logs. */
const clockOffMsMax = 2_000;
/** Above this share in use a check fails: of all subnets, and of the addresses in one network. */
const usedShareMax = 0.9;
const engineOldest = [20, 10] as const;

export function diagnose(view: View, facts: DoctorFacts): DoctorReport {
  const { examined, pools, clashes } = facts;
  const nodes = [...view.nodes()].sort((a, b) => compare(hostOf(a), hostOf(b)));
  const found = new Map(examined.map((one) => [one.node, one]));
  const checks = [
    leader(facts, view),
    ...facts.rivals.map((id) =>
      failed(
        "leader",
        nameOf(view, id),
        '"gam recover" was run on this host, too: there is a second life of this cluster',
        'Keep one of the two; on each host of the other run "gam leave --force", then "gam join TOKEN"',
      ),
    ),
    ...nodes.flatMap((node) => onHost(node, found.get(node.ID), view)),
    ...nodes.flatMap((node) => toOthers(node, found.get(node.ID)?.examination, nodes)),
    ...addresses(pools),
    ...clashes.map(({ network, subnet, node, route }) =>
      failed(
        "addresses",
        network,
        `Its subnet ${subnet} overlaps with route ${route} of ${nameOf(view, node)}`,
        `Create network "${network}" again with another --subnet, or remove that route`,
      ),
    ),
  ];
  return { healthy: checks.every(({ result }) => result !== "failed"), checks };
}

/** Longer than an election takes, which is a few seconds. */
const leaderlessMsMax = 10_000;

function leader({ leaderlessMs, voters, examined }: DoctorFacts, view: View): DoctorCheck {
  if (leaderlessMs < leaderlessMsMax) return passed("leader", "mesh");
  const answering = voters.filter((id) =>
    examined.some(({ node, examination }) => node === id && examination !== undefined),
  );
  const needed = Math.floor(voters.length / 2) + 1;
  const found = `No leader for ${Math.round(leaderlessMs / 1000)} s: ${answering.length} of ${voters.length} voters answer`;
  const remedy =
    answering.length < needed
      ? `Start ${needed - answering.length} more of the voters. If they are gone for good, run "gam recover" on a survivor: it first shows what that host would continue with`
      : 'Read the logs of the agents for the reason. "gam recover" shows what this host could continue with alone';
  const locked = view.cluster?.UnlockKey === undefined ? "" : `${unlockRemedy}. `;
  return failed("leader", "mesh", found, locked + remedy);
}

const unlockRemedy =
  'Managers are locked when they start: run "gam unlock" on those that have restarted';

/** A locked manager is silent, so nobody can tell it from one that is down. */
function isLockable({ Spec }: Node, { cluster }: View): boolean {
  return Spec.Role === "manager" && cluster?.UnlockKey !== undefined;
}

function onHost(node: Node, examined: Examined | undefined, view: View): DoctorCheck[] {
  const host = hostOf(node);
  if (examined?.examination === undefined) {
    const reason = examined?.failure || "it was not asked";
    const remedy =
      node.Status.State === "down"
        ? `Start the host and its agent. If it is gone for good, run "docker node rm --force ${host}"`
        : "Read its agent's log, and check that 7946/tcp is open between it and this host";
    const locked = isLockable(node, view) ? `. ${unlockRemedy}` : "";
    return [failed("agents", host, `Its agent does not answer: ${reason}`, remedy + locked)];
  }
  const own = examined.examination;
  return [
    passed("agents", host),
    engine(node),
    own.inSwarm
      ? failed(
          "leftovers",
          host,
          "Its engine is in a Docker swarm, which uses the ports that gam needs",
          `Run "docker --host unix:///var/run/docker.sock swarm leave --force" on ${host}`,
        )
      : passed("leftovers", host),
    kernel(node),
    encryption(node, view),
    clock(host, examined),
    ...(own.problems.length === 0 ? [passed("data planes", host)] : []),
    ...own.problems.map((problem) =>
      failed(
        "data planes",
        host,
        problem,
        "Read the agent's log, and docs/networking.md for how to find the cause. The agent tries again by itself",
      ),
    ),
  ];
}

function engine(node: Node): DoctorCheck {
  const host = hostOf(node);
  const { ready, reason } = node.Gam.engine;
  if (!ready) {
    const remedy = `Start the Docker engine on ${host}: "systemctl start docker"`;
    return failed("engines", host, reason || "Its engine does not answer", remedy);
  }
  const version = node.Description.Engine.EngineVersion;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const tooOld = major < engineOldest[0] || (major === engineOldest[0] && minor < engineOldest[1]);
  return tooOld
    ? failed("engines", host, `Its engine is version ${version}`, "Install Docker 20.10 or later")
    : passed("engines", host);
}

function kernel(node: Node): DoctorCheck {
  const host = hostOf(node);
  const { network } = node.Gam;
  if (network === undefined)
    return unknown("kernels", host, "It has not reported yet what it can do");
  if (network.problem === "") return passed("kernels", host);
  const remedy = `Correct this on ${host}. Its agent checks again every minute`;
  return failed("kernels", host, network.problem, remedy);
}

function encryption(node: Node, view: View): DoctorCheck {
  const host = hostOf(node);
  const demanding = view.networks().filter(demandsEncryption);
  if (node.Gam.network?.encryption !== "none" || demanding.length === 0) {
    return passed("encryption", host);
  }
  const names = demanding.map(({ Name }) => `"${Name}"`).join(", ");
  return failed(
    "encryption",
    host,
    `It has no WireGuard, so tasks of ${names} cannot run there`,
    "Install wireguard-tools, and wireguard-go where the kernel has no WireGuard",
  );
}

function clock(host: string, { clockAheadMs, clockDoubtMs }: Examined): DoctorCheck {
  if (Math.abs(clockAheadMs) - clockDoubtMs <= clockOffMsMax) return passed("clocks", host);
  const seconds = (Math.abs(clockAheadMs) / 1000).toFixed(1);
  const found = `Its clock is ${seconds} s ${clockAheadMs > 0 ? "ahead" : "behind"}`;
  return failed("clocks", host, found, `Run a time service on ${host}, such as chrony`);
}

function toOthers(node: Node, own: Examination | undefined, nodes: readonly Node[]): DoctorCheck[] {
  if (own === undefined) return [];
  return nodes.flatMap((other) => {
    // A node that is down is reported under "agents" already.
    if (other.ID === node.ID || other.Status.State === "down") return [];
    const pair = `${hostOf(node)} to ${hostOf(other)}`;
    const paths = own.paths.filter(({ to }) => to === other.ID);
    return [
      mesh(pair, other, own),
      ...(paths.length === 0
        ? [unknown("overlay", pair, "One of the two hosts could not probe the path between them")]
        : paths.map((path) => overlay(pair, path))),
    ];
  });
}

function mesh(pair: string, other: Node, { connected }: Examination): DoctorCheck {
  if (connected.includes(other.ID)) return passed("mesh", pair);
  const [address = ""] = other.Gam.addresses;
  const port = address.slice(address.lastIndexOf(":") + 1) || "7946";
  const remedy = `Open ${port}/tcp between the two, both ways`;
  return failed("mesh", pair, `There is no connection to ${address}`, remedy);
}

function overlay(pair: string, path: Examination["paths"][number]): DoctorCheck {
  const { network, port, bytes, result } = path;
  if (result === "whole") return passed("overlay", pair);
  if (result === "small") {
    const way = network === "" ? `at ${port}` : `through network "${network}"`;
    return failed(
      "overlay",
      pair,
      `Short packets arrive ${way}, those of ${bytes} bytes do not`,
      "Let the network between the two carry packets of their devices' MTU, or lower the MTU on both hosts",
    );
  }
  return network === ""
    ? failed(
        "overlay",
        pair,
        `Packets to ${port} do not arrive`,
        `Open ${port} between the two, both ways`,
      )
    : failed(
        "overlay",
        pair,
        `Packets through network "${network}" do not arrive, or the answers do not`,
        `Open ${port} between the two, both ways. If a host has a firewall, also open 53/udp from gam's bridges`,
      );
}

function addresses({ subnets, subnetsFree, networks }: Pools): DoctorCheck[] {
  const full = networks.filter(({ used, size }) => used >= size * usedShareMax);
  const wanting = subnets - subnetsFree >= subnets * usedShareMax;
  return [
    wanting
      ? failed(
          "addresses",
          "address pool",
          `${subnetsFree} of ${subnets} subnets are left for new networks`,
          "Remove unused networks, or create new ones with their own --subnet",
        )
      : passed("addresses", "address pool"),
    ...full.map(({ name, subnet, used, size }) =>
      failed(
        "addresses",
        name,
        `${used} of ${size} addresses of network "${name}" (${subnet}) are in use`,
        "Scale its services down, or move some to a new, larger network",
      ),
    ),
  ];
}

function hostOf(node: Node): string {
  return node.Description.Hostname || node.ID;
}

function nameOf(view: View, id: NodeId): string {
  const node = view.node(id);
  return node === undefined ? id : hostOf(node);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function passed(topic: Topic, subject: string): DoctorCheck {
  return { topic, subject, result: "passed", found: "", remedy: "" };
}

function failed(topic: Topic, subject: string, found: string, remedy: string): DoctorCheck {
  return { topic, subject, result: "failed", found, remedy };
}

function unknown(topic: Topic, subject: string, found: string): DoctorCheck {
  return { topic, subject, result: "unknown", found, remedy: "" };
}
