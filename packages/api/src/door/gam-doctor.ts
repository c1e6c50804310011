/**
 * Gam doctor: what the hosts of a mesh need, whether they have it, and what to do where they do not.
 *
 * Decides from the state and from what each node found when it examined its own side. Asks nobody
 * itself: the facts come through the door. What nobody could find out is "unknown", and no failure.
 */
import { type Checked, check, type NodeId } from "@gam/core";
import { demandsEncryption, type Node, type View } from "@gam/state";
import type { DoctorCheck, DoctorReport, Pools } from "@gam/state/answers";

const nodesMax = 10_000;
const text = check.string(4096);

/** What a node finds on its own side. It comes from another host, so it is checked. */
export const checkExamination = check.object({
  /** Milliseconds since 1970 by that host's clock, when it answered. */
  wallMs: check.number(),
  /** How long it took to answer. */
  tookMs: check.number(),
  /** The engine says that it is in a swarm of its own. */
  inSwarm: check.boolean,
  /** What its data plane and its name server cannot do, in sentences. */
  problems: check.list(text, 1024),
  /** Nodes that it has a connection of the mesh to. */
  connected: check.list(check.id<NodeId>(), nodesMax),
  /**
   * Ways to other nodes: through a network, from its bridge to theirs and back; where there is none, to
   * the port that a network's packets would go to.
   */
  paths: check.list(
    check.object({
      to: check.id<NodeId>(),
      /** "" where no network is on both. */
      network: text,
      /** What has to be open between the two, as `4789/udp`. */
      port: text,
      /** Length of the longer of the two packets that were sent. */
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
  /** Absent when it did not answer. */
  readonly examination?: Examination;
  /** Why it did not answer; "" when it did. */
  readonly failure: string;
  /** How far its clock is ahead of that of the host that asks, and how wrong that may be. */
  readonly clockAheadMs: number;
  readonly clockDoubtMs: number;
}

export interface DoctorFacts {
  readonly examined: readonly Examined[];
  readonly pools: Pools;
  /** How long the peer that is asked has known no leader, and who votes. */
  readonly leaderlessMs: number;
  readonly voters: readonly NodeId[];
  /** Nodes that went on in another life of the cluster, by a recovery of their own. */
  readonly rivals: readonly NodeId[];
  /** Networks whose addresses a host has come to have another route to. */
  readonly clashes: readonly {
    readonly network: string;
    readonly subnet: string;
    readonly node: NodeId;
    readonly route: string;
  }[];
}

/** What the doctor's call needs of the agent. */
export interface DoctorDoor {
  /** Has every node examine its own side, all at once. Bounded; never rejects. Only asked while active. */
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

/** Certificates and the times that people read suffer from more. */
const clockOffMsMax = 2_000;
/** Of subnets, and of the addresses in one. */
const usedShareMax = 0.9;
const engineOldest = [20, 10] as const;

export function diagnose(view: View, facts: DoctorFacts): DoctorReport {
  const { examined, pools, clashes } = facts;
  const nodes = [...view.nodes()].sort((a, b) => compare(hostOf(a), hostOf(b)));
  const found = new Map(examined.map((one) => [one.node, one]));
  const checks = [
    leader(facts),
    ...facts.rivals.map((id) =>
      failed(
        "leader",
        nameOf(view, id),
        'It went on in another life of this cluster: "gam recover" was run there, too',
        'Choose one of the two; on each host of the other run "gam leave --force", then "gam join TOKEN"',
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
        `Make network "${network}" again with another --subnet, or take that route away`,
      ),
    ),
  ];
  return { healthy: checks.every(({ result }) => result !== "failed"), checks };
}

/** An election takes seconds. */
const leaderlessMsMax = 10_000;

function leader({ leaderlessMs, voters, examined }: DoctorFacts): DoctorCheck {
  if (leaderlessMs < leaderlessMsMax) return passed("leader", "mesh");
  const answering = voters.filter((id) =>
    examined.some(({ node, examination }) => node === id && examination !== undefined),
  );
  const needed = Math.floor(voters.length / 2) + 1;
  const found = `No leader for ${Math.round(leaderlessMs / 1000)} s: ${answering.length} of ${voters.length} voters answer`;
  const remedy =
    answering.length < needed
      ? `Start ${needed - answering.length} more of the voters. If they are gone for good: "gam recover" on a survivor, which first shows what it would go on with`
      : 'See the agents\' logs for why they elect none. "gam recover" shows what this host could go on with alone';
  return failed("leader", "mesh", found, remedy);
}

function onHost(node: Node, examined: Examined | undefined, view: View): DoctorCheck[] {
  const host = hostOf(node);
  if (examined?.examination === undefined) {
    const reason = examined?.failure || "nobody asked it";
    const remedy =
      node.Status.State === "down"
        ? `Start the host and its agent; "docker node rm --force ${host}" if it is gone for good`
        : "See its agent's log, and whether 7946/tcp is open between it and this host";
    return [failed("agents", host, `Its agent does not answer: ${reason}`, remedy)];
  }
  const own = examined.examination;
  return [
    passed("agents", host),
    engine(node),
    own.inSwarm
      ? failed(
          "leftovers",
          host,
          "Its engine is in a swarm of Docker's own, which takes the ports that gam needs",
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
        "The agent tries again by itself; its log says more, docs/networking.md how to look closer",
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
  if (network === undefined) return unknown("kernels", host, "It has not said yet what it can do");
  if (network.problem === "") return passed("kernels", host);
  const remedy = `Do what it says on ${host}; its agent looks again every minute`;
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
    // What is down cannot be reached, and has been told.
    if (other.ID === node.ID || other.Status.State === "down") return [];
    const pair = `${hostOf(node)} to ${hostOf(other)}`;
    const paths = own.paths.filter(({ to }) => to === other.ID);
    return [
      mesh(pair, other, own),
      ...(paths.length === 0
        ? [unknown("overlay", pair, "One of the two could not try the way between them")]
        : paths.map((path) => overlay(pair, path))),
    ];
  });
}

function mesh(pair: string, other: Node, { connected }: Examination): DoctorCheck {
  if (connected.includes(other.ID)) return passed("mesh", pair);
  const [address = ""] = other.Gam.addresses;
  const port = address.slice(address.lastIndexOf(":") + 1) || "7946";
  const remedy = `Open ${port}/tcp between the two, both ways`;
  return failed("mesh", pair, `There is no connection (${address})`, remedy);
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
      "Let the way between the two carry packets as long as their devices say, or lower the MTU there",
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
        `Open ${port} between the two, both ways, and 53/udp from gam's bridges where a firewall guards the host`,
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
          "Remove networks that nobody uses, or give new ones a --subnet of their own",
        )
      : passed("addresses", "address pool"),
    ...full.map(({ name, subnet, used, size }) =>
      failed(
        "addresses",
        name,
        `${used} of ${size} addresses of network "${name}" (${subnet}) are in use`,
        "Scale its services down, or move some to another network; a larger one needs a new network",
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
