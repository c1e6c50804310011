/**
 * Examiner: finds out what only this host can see, and asks the others for what only they can.
 *
 * Judges nothing: the API's doctor does. Each agent tries its own ways to all others, so a port that is
 * closed one way is seen on the side that it is closed for.
 */
import type { DoctorDoor, DoctorFacts, Examination, Examined } from "@gam/api";
import { checkExamination } from "@gam/api";
import { decode, encode, GamError, type NodeId } from "@gam/core";
import type { Mesh } from "@gam/mesh";
import { type NodePlan, poolUsage, subnetClashes } from "@gam/network";
import { isInSwarm, type PathToProbe, probePath } from "@gam/runtime";
import type { View } from "@gam/state";

const requestName = "examine";
/** An engine that hangs costs five seconds, ways that carry nothing four in each round. */
const answerMs = 30_000;
const probesAtOnce = 64;

export interface ExaminerParts {
  readonly self: NodeId;
  readonly mesh: Pick<Mesh, "handle" | "peers" | "request">;
  readonly view: () => View;
  /** What the data plane was told last; undefined where there is none. */
  readonly plan: () => NodePlan | undefined;
  /** Sentences. */
  readonly problems: () => readonly string[];
  /** Path of the engine's socket. */
  readonly engine: string;
}

type Findings = Omit<Examination, "wallMs" | "tookMs">;
/** A way to another node's bridge. */
interface Way {
  readonly node: NodeId;
  readonly network: string;
  /** As `4789/udp`. */
  readonly port: string;
  readonly ends: PathToProbe;
}

export class Examiner implements DoctorDoor {
  readonly #parts: ExaminerParts;
  /** One at a time, whoever asks: a member that asks often costs no more than one that asks once. */
  #running: Promise<Findings> | undefined;

  constructor(parts: ExaminerParts) {
    this.#parts = parts;
    parts.mesh.handle(requestName, async () => encode(await this.#examination()));
  }

  async examine(): Promise<DoctorFacts> {
    const view = this.#parts.view();
    return {
      examined: await Promise.all(view.nodes().map(({ ID }) => this.#ask(ID))),
      pools: poolUsage(view),
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
      const options = { timeoutMs: answerMs };
      const answer = await mesh.request(node, requestName, new Uint8Array(), options);
      const examination = checkExamination(decode(answer), "examination");
      // What the answer took besides the examination was on the way: half of it, more or less, back.
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
    const [inSwarm, paths] = await Promise.all([isInSwarm(engine), tried(ways)]);
    const connected = mesh.peers().filter(({ state }) => state === "connected");
    return {
      inSwarm,
      paths,
      problems: [...problems()],
      connected: connected.map(({ nodeId }) => nodeId),
    };
  }
}

/** One way to each other node for each port that packets to it go to: the first network that has it. */
export function waysOut(view: View, plan: NodePlan): readonly Way[] {
  const ways = new Map<string, Way>();
  for (const plane of plan.networks) {
    const gateways = view.network(plane.id)?.Gam.gateways ?? {};
    const vias = new Map(plane.remotes.map(({ address, via }) => [address, via]));
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

async function tried(ways: readonly Way[]): Promise<Examination["paths"]> {
  const paths: Examination["paths"] = [];
  const left = [...ways];
  while (left.length > 0) {
    const round = left.splice(0, probesAtOnce).map(async ({ node, network, port, ends }) => {
      return { to: node, network, port, bytes: ends.mtu, result: await probePath(ends) };
    });
    paths.push(...(await Promise.all(round)));
  }
  return paths;
}
