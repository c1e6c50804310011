/**
 * Examiner: examines this host, and asks the other agents to examine theirs.
 *
 * Does not judge the findings: the API's doctor does. Each agent probes its own paths to all others, so the
 * host that cannot send through a port is the one that reports it.
 */
import type { DoctorDoor, DoctorFacts, Examination, Examined } from "@gam/api";
import { checkExamination } from "@gam/api";
import { decode, encode, GamError, type NodeId } from "@gam/core";
import type { Mesh } from "@gam/mesh";
import { type NodePlan, poolUsage, subnetClashes } from "@gam/network";
import {
  checkTrialSources,
  isInSwarm,
  type PathResult,
  type PathToProbe,
  type PortToProbe,
  probePath,
  probePort,
  type TrialSource,
} from "@gam/runtime";
import type { View } from "@gam/state";

const requestName = "examine";
const hearName = "hear";
const hearMs = 5_000;
/** Budget: 5 s for a hung engine, plus 4 s for each round of unanswered probes. */
const answerMs = 30_000;
const probesAtOnce = 64;

export interface ExaminerParts {
  readonly self: NodeId;
  readonly mesh: Pick<Mesh, "handle" | "peers" | "request">;
  readonly view: () => View;
  /** The last plan of the data plane; undefined before the first. */
  readonly plan: () => NodePlan | undefined;
  /** Those fields of DoctorFacts. */
  readonly quorum: () => Pick<DoctorFacts, "leaderlessMs" | "voters" | "rivals">;
  /** Problems of the data plane and the name server, in sentences. */
  readonly problems: () => readonly string[];
  /** Returns: the sources of trial packets that arrived here. Errors: GamError, and what nft says. */
  readonly heard: () => Promise<readonly TrialSource[]>;
  /** Path of the engine's socket. */
  readonly engine: string;
}

type Findings = Omit<Examination, "wallMs" | "tookMs">;
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

export class Examiner implements DoctorDoor {
  readonly #parts: ExaminerParts;
  /** Only one examination runs at a time, and all callers share it: frequent requests cost no more than one. */
  #running: Promise<Findings> | undefined;

  constructor(parts: ExaminerParts) {
    this.#parts = parts;
    parts.mesh.handle(requestName, async () => encode(await this.#examination()));
    parts.mesh.handle(hearName, async () => encode(await parts.heard()));
  }

  async examine(): Promise<DoctorFacts> {
    const view = this.#parts.view();
    return {
      examined: await Promise.all(view.nodes().map(({ ID }) => this.#ask(ID))),
      pools: poolUsage(view),
      ...this.#parts.quorum(),
      clashes: subnetClashes(view).map(({ network, ...clash }) => ({
        ...clash,
        network: view.network(network)?.Name ?? network,
      })),
    };
  }

  async #ask(node: NodeId): Promise<Examined> {
    const { self, mesh } = this.#parts;
    const answered = { node, failure: "", clockAheadMs: 0, clockDoubtMs: 0 };
    if (node === self) return { ...answered, examination: await this.#examination() };
    const beganMs = performance.now();
    try {
      const question = { name: requestName, body: new Uint8Array(), timeoutMs: answerMs };
      const answer = await mesh.request(node, question);
      const examination = checkExamination(decode(answer), "examination");
      // The rest of the round trip is network delay; assume half each way.
      const wayMs = Math.max(0, performance.now() - beganMs - examination.tookMs);
      const clockAheadMs = examination.wallMs + wayMs / 2 - Date.now();
      return { ...answered, examination, clockAheadMs, clockDoubtMs: wayMs / 2 };
    } catch (thrown) {
      if (!(thrown instanceof GamError)) throw thrown;
      return { ...answered, failure: thrown.message };
    }
  }

  async #examination(): Promise<Examination> {
    const beganMs = performance.now();
    this.#running ??= this.#look().finally(() => {
      this.#running = undefined;
    });
    const found = await this.#running;
    return { ...found, wallMs: Date.now(), tookMs: performance.now() - beganMs };
  }

  async #look(): Promise<Findings> {
    const { mesh, view, plan, problems, engine } = this.#parts;
    const planned = plan();
    const ways = planned === undefined ? [] : waysOut(view(), planned);
    const ports = planned === undefined ? [] : portsOut(view(), planned, ways);
    const [inSwarm, paths] = await Promise.all([
      isInSwarm(engine),
      inRounds([
        ...ways.map((way) => () => this.#tryWay(way)),
        ...ports.map((port) => () => this.#tryPort(port)),
      ]),
    ]);
    const connected = mesh.peers().filter(({ state }) => state === "connected");
    return {
      inSwarm,
      paths,
      problems: [...problems()],
      connected: connected.map(({ nodeId }) => nodeId),
    };
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
