/**
 * Examiner: examines this host, and asks the other agents to examine theirs.
 *
 * Does not judge the findings: the API's doctor does. Each agent probes its own paths to all others, so the
 * host that cannot send through a port is the one that reports it.
 */
import type { DoctorFacts, DoorState, Examination, Examined, HostFacts, Mend } from "@gam/api";
import { checkExamination, mends } from "@gam/api";
import { check, decode, encode, GamError, type NodeId } from "@gam/core";
import { type Mesh, whyUnreachable } from "@gam/mesh";
import { type NodePlan, poolUsage, subnetClashes } from "@gam/network";
import {
  checkTrialSources,
  type PathResult,
  type PathToProbe,
  type PortToProbe,
  probePath,
  probePort,
  type TrialSource,
} from "@gam/runtime";
import type { View } from "@gam/state";
import { mendHost } from "./mend-host.ts";

const requestName = "examine";
const mendName = "mend";
/** As mend-host.ts. */
const mendMs = 70_000;
/** How long a host may take to apply an entry that the asking one knows to be committed. */
const catchUpMs = 2_000;
const pollMs = 50;
const hearName = "hear";
const hearMs = 5_000;
/** For a hung engine or disk, and what the kernel's own answers take. */
const lookMs = 10_000;
/** For a node that does not answer probes of its agent either: nobody should wait long for what is known. */
const unheardMs = 3_000;
/** A round of probes that nobody answers. */
const roundMs = 4_000;
const probesAtOnce = 64;

export interface ExaminerParts {
  readonly self: NodeId;
  readonly mesh: Pick<Mesh, "handle" | "peers" | "request">;
  readonly view: () => View;
  /** The last plan of the data plane; undefined before the first. */
  readonly plan: () => NodePlan | undefined;
  /** Last entries that this peer has applied, and knows to be committed; and why it takes no part, if so. */
  readonly log: () => Examination["log"];
  /** What this host says of itself, also while it is in no cluster. */
  readonly host: () => Promise<HostFacts>;
  /** Whether this peer hears the other one, as membership has it. */
  readonly hears: (node: NodeId) => boolean;
  /** As knock.ts. */
  readonly knock: (addresses: readonly string[]) => Promise<DoorState>;
  /** Those fields of DoctorFacts. */
  readonly quorum: () => Pick<DoctorFacts, "leaderlessMs" | "voters" | "rivals">;
  /** Problems of the data plane and the name server, in sentences. */
  readonly problems: () => readonly string[];
  /** Returns: the sources of trial packets that arrived here. Errors: GamError, and what nft says. */
  readonly heard: () => Promise<readonly TrialSource[]>;
}

/** What one host asks another one. */
const checkQuestion = check.object({
  /** Whether to probe the paths to the other nodes. */
  paths: check.boolean,
  /** The entry that the asked host should have applied soon. */
  index: check.integer(),
});
type Question = check.Checked<typeof checkQuestion>;
const checkMend = check.object({ mend: check.literal(...mends) });
const checkMended = check.object({ done: check.string(4096) });

type Findings = Omit<Examination, "wallMs" | "tookMs" | "log">;
type Path = Examination["paths"][number];
/** A path to another node's bridge. */
interface Way {
  readonly node: NodeId;
  readonly network: string;
  /** As `4789/udp`. */
  readonly port: string;
  readonly ends: PathToProbe;
}
/** A port of another node that shares no network with this one yet. */
interface Port {
  readonly node: NodeId;
  readonly ends: PortToProbe;
}

export class Examiner {
  readonly #parts: ExaminerParts;
  /**
   * Only one examination of each kind runs at a time, and all callers share it: frequent requests cost no more than
   * one.
   */
  readonly #running = new Map<boolean, Promise<Findings>>();

  constructor(parts: ExaminerParts) {
    this.#parts = parts;
    parts.mesh.handle(requestName, async (_, body) => {
      return encode(await this.#examination(checkQuestion(decode(body), "question")));
    });
    parts.mesh.handle(hearName, async () => encode(await parts.heard()));
    parts.mesh.handle(mendName, async (from, body) => {
      if (parts.view().node(from)?.Spec.Role !== "manager") {
        throw new GamError("REFUSED", "Cannot mend this host: only a manager may ask for it");
      }
      return encode({ done: await mendHost(checkMend(decode(body), "order").mend) });
    });
  }

  /** As DoctorDoor. */
  async examine(paths: boolean): Promise<DoctorFacts> {
    const { self, view: viewNow, log, quorum } = this.#parts;
    const view = viewNow();
    const question = { paths, index: log().commit };
    const asked = view.nodes().map(({ ID }) => ID);
    const answers = await Promise.all(asked.map((id) => this.#ask(id, question)));
    // Others may know of entries that this host does not: then this host is the one that is behind.
    const index = Math.max(0, ...answers.map(({ examination }) => examination?.log.commit ?? 0));
    await this.#caughtUp(index);
    const examined = answers.map((one): Examined => {
      const { examination } = one;
      if (one.node !== self || examination === undefined) {
        return { ...one, expected: question.index };
      }
      return { ...one, examination: { ...examination, log: log() }, expected: index };
    });
    return {
      self,
      examined,
      pools: poolUsage(view),
      ...quorum(),
      clashes: subnetClashes(view).map(({ network, ...clash }) => ({
        ...clash,
        network: view.network(network)?.Name ?? network,
      })),
    };
  }

  /** As DoctorDoor. */
  async mend(node: NodeId, mend: Mend): Promise<string> {
    const { self, mesh } = this.#parts;
    if (node === self) return await mendHost(mend);
    const body = encode({ mend });
    const answer = await mesh.request(node, { name: mendName, body, timeoutMs: mendMs });
    return checkMended(decode(answer), "answer").done;
  }

  async #ask(node: NodeId, question: Question): Promise<Examined> {
    const { self, mesh, view, knock, hears } = this.#parts;
    const answered = { node, failure: "", clockAheadMs: 0, clockDoubtMs: 0 };
    if (node === self) return { ...answered, examination: await this.#examination(question) };
    const beganMs = performance.now();
    try {
      const body = encode(question);
      // Others may hear a node to which this host has no connection.
      const isHeard = hears(node) && this.#connected().includes(node);
      const timeoutMs = isHeard ? this.#answerMs(question) : unheardMs;
      const answer = await mesh.request(node, { name: requestName, body, timeoutMs });
      const examination = checkExamination(decode(answer), "examination");
      // The rest of the round trip is network delay; assume half each way.
      const wayMs = Math.max(0, performance.now() - beganMs - examination.tookMs);
      const clockAheadMs = examination.wallMs + wayMs / 2 - Date.now();
      return { ...answered, examination, clockAheadMs, clockDoubtMs: wayMs / 2 };
    } catch (thrown) {
      if (!(thrown instanceof GamError)) throw thrown;
      const door = await knock(view().node(node)?.Gam.addresses ?? []);
      return { ...answered, failure: whyUnreachable(thrown.message), door };
    }
  }

  /** A node probes each other one once or twice. */
  #answerMs({ paths }: Question): number {
    const rounds = Math.ceil((2 * this.#parts.view().nodes().length) / probesAtOnce);
    return lookMs + (paths ? rounds * roundMs : 0);
  }

  async #examination({ paths, index }: Question): Promise<Examination> {
    const beganMs = performance.now();
    let running = this.#running.get(paths);
    if (running === undefined) {
      running = this.#look(paths).finally(() => this.#running.delete(paths));
      this.#running.set(paths, running);
    }
    const [found] = await Promise.all([running, this.#caughtUp(index)]);
    const log = this.#parts.log();
    return { ...found, log, wallMs: Date.now(), tookMs: performance.now() - beganMs };
  }

  /** Resolves when this peer has applied the entry, or after a while. */
  async #caughtUp(index: number): Promise<void> {
    const untilMs = performance.now() + catchUpMs;
    while (this.#parts.log().applied < index && performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  async #look(withPaths: boolean): Promise<Findings> {
    const { view, plan, problems, host } = this.#parts;
    const planned = withPaths ? plan() : undefined;
    const ways = planned === undefined ? [] : waysOut(view(), planned);
    const ports = planned === undefined ? [] : portsOut(view(), planned, ways);
    const [facts, paths] = await Promise.all([
      host(),
      inRounds([
        ...ways.map((way) => () => this.#tryWay(way)),
        ...ports.map((port) => () => this.#tryPort(port)),
      ]),
    ]);
    return { ...facts, paths, problems: [...problems()], connected: this.#connected() };
  }

  #connected(): NodeId[] {
    const rows = this.#parts.mesh.peers().filter(({ state }) => state === "connected");
    return rows.map(({ nodeId }) => nodeId);
  }

  async #tryWay({ node, network, port, ends }: Way): Promise<Path[]> {
    return [{ to: node, network, port, bytes: ends.mtu, result: await probePath(ends) }];
  }

  /** Returns: no path if the other node cannot listen, since the result is then unknown. */
  async #tryPort({ node, ends }: Port): Promise<Path[]> {
    const heard = async (): Promise<readonly TrialSource[]> => {
      const question = { name: hearName, body: new Uint8Array(), timeoutMs: hearMs };
      const answer = await this.#parts.mesh.request(node, question);
      return checkTrialSources(decode(answer), "trial sources");
    };
    let result: PathResult;
    try {
      result = await probePort(ends, heard);
    } catch (thrown) {
      if (!(thrown instanceof GamError)) throw thrown;
      return [];
    }
    return [{ to: node, network: "", port: `${ends.port}/udp`, bytes: ends.bytes, result }];
  }
}

/** Returns: one path to each other node for each port that packets to it use, through the first such network. */
export function waysOut(view: View, plan: NodePlan): readonly Way[] {
  const ways = new Map<string, Way>();
  for (const plane of plan.networks) {
    const gateways = view.network(plane.id)?.Gam.gateways ?? {};
    const vias = new Map<string, string>(plane.remotes.map(({ address, via }) => [address, via]));
    for (const [node, gateway] of Object.entries(gateways)) {
      const via = vias.get(gateway);
      if (node === plan.self || via === undefined) continue;
      const tunnelled = plan.tunnels?.peers.some(({ tunnel }) => tunnel === via);
      const port = `${tunnelled ? plan.tunnels?.port : plan.vxlanPort}/udp`;
      const key = `${node} ${port}`;
      if (ways.has(key)) continue;
      const ends = { from: plane.gateway, to: gateway, mtu: plane.mtu };
      ways.set(key, { node: node as NodeId, network: plane.name, port, ends });
    }
  }
  return [...ways.values()];
}

/** Returns: the ports of all other nodes that are up and take part in networks, but share none with this node. */
export function portsOut(view: View, plan: NodePlan, ways: readonly Way[]): readonly Port[] {
  const known = new Set(ways.map(({ node }) => node));
  const bytes = view.node(plan.self)?.Gam.network?.mtu ?? 0;
  return view.nodes().flatMap(({ ID: node, Status, Gam }) => {
    if (node === plan.self || known.has(node) || Status.State === "down") return [];
    if (Gam.network === undefined || Gam.network.problem !== "") return [];
    const isPlain = plan.neighbours.some((address) => address === Status.Addr);
    const port = isPlain ? plan.vxlanPort : plan.tunnels?.port;
    if (port === undefined) return [];
    return [{ node, ends: { from: plan.underlay, to: Status.Addr, port, bytes } }];
  });
}

async function inRounds(probes: readonly (() => Promise<Path[]>)[]): Promise<Path[]> {
  const paths: Path[] = [];
  for (let at = 0; at < probes.length; at += probesAtOnce) {
    const round = probes.slice(at, at + probesAtOnce);
    paths.push(...(await Promise.all(round.map((probe) => probe()))).flat());
  }
  return paths;
}
