/** Doctor facts: what the doctor judges, and what it may ask of hosts. It collects nothing itself. */
import { type Checked, check, type NodeId } from "@gam/core";
import type { Pools } from "@gam/state/answers";

const nodesMax = 10_000;
const text = check.string(4096);

/** What a host says of itself, also while it is in no cluster. */
const hostFields = {
  /** Its name, as its kernel has it now. */
  hostname: text,
  /** Of its agent. */
  version: text,
  /** What its engine answers now. The state has the last report, which is old where no leader takes reports. */
  engine: check.object({
    /** `silent`: it takes calls and does not answer them. `old`: gam cannot use its version. */
    state: check.literal("ready", "stopped", "silent", "old"),
    /** What was found; "" while it is ready. */
    reason: text,
    version: text,
    /** It is in a Docker swarm. */
    inSwarm: check.boolean,
  }),
  /** The disks of the data directory and of the engine; 0 bytes where they could not be read. */
  disks: check.list(
    check.object({
      path: text,
      freeBytes: check.number(),
      totalBytes: check.number(),
      /** Why a small file could not be written there; "" if it could, or if nobody tried. */
      failure: text,
    }),
    16,
  ),
  memory: check.object({ availableBytes: check.number(), totalBytes: check.number() }),
  /** Connections that the kernel tracks, and how many it may; 0 and 0 where it does not say. */
  conntrack: check.object({ used: check.integer(), max: check.integer() }),
  /** Whether the device that leads to the other hosts has a link; "unknown" where there is no such device. */
  line: check.literal("up", "down", "unknown"),
} as const;

/** What the doctor of a host in no cluster judges. */
export type HostFacts = {
  readonly [K in keyof typeof hostFields]: Checked<(typeof hostFields)[K]>;
};

/** A node's examination of its own side. It comes from another host, so it is checked. */
export const checkExamination = check.object({
  ...hostFields,
  /** Time of the answer by that host's clock, in milliseconds since 1970. */
  wallMs: check.number(),
  /** How long it took to answer. */
  tookMs: check.number(),
  log: check.object({
    /** Last entries that it has applied, and that it knows to be committed. */
    applied: check.integer(),
    commit: check.integer(),
    /** Why it stopped applying the log, or takes no part; "" if it takes part. */
    stopped: text,
  }),
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

/**
 * What a plain TCP connection to the agent's port meets. `refused`: the host's kernel answers, so it is on and its
 * agent does not listen. `open`: something listens. `silent`: nothing answers.
 */
export type DoorState = "open" | "refused" | "silent";

export interface Examined {
  readonly node: NodeId;
  /** Absent if the node did not answer. */
  readonly examination?: Examination;
  /** Why the node did not answer; "" if it did. */
  readonly failure: string;
  /** Of a node that did not answer. */
  readonly door?: DoorState;
  /** The entry of the log that it had two seconds to reach. */
  readonly expected?: number;
  /** How far its clock is ahead of the asking host's, and the possible error of that. */
  readonly clockAheadMs: number;
  readonly clockDoubtMs: number;
}

export interface DoctorFacts {
  /** The asked peer. */
  readonly self: NodeId;
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

/** What a host may do about a finding by itself, because it ends nothing and loses nothing. */
export const mends = ["engine", "conntrack", "modules"] as const;
export type Mend = (typeof mends)[number];

/** The part of the door that the doctor uses. */
export interface DoctorDoor {
  /**
   * Makes all nodes examine their own side at once. Takes bounded time; never rejects. Called only while active.
   * `paths`: whether they also probe the paths between them, which takes seconds where packets are lost.
   */
  examine(paths: boolean): Promise<DoctorFacts>;
  /** Examines this host alone. Takes bounded time; never rejects. */
  examineHost(): Promise<HostFacts>;
  /** Makes a node mend its own side. Returns: what it did. Errors: GamError, with why it could not. */
  mend(node: NodeId, mend: Mend): Promise<string>;
}
